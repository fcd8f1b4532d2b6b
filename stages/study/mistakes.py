"""The validation pictures that a schedule misclassifies, by falling mean loss."""

import pandas as pd

MAPS = "maps.npz"  # class activation maps of the worst, by data set, float16 (pictures, height, width)
SHOWN = 48  # pictures of a data set, at most, that have a map and stand in the report, which has to stay small
COLUMNS = ("image", "label", "predicted", "votes", "repeats", "probability", "loss")


def of_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """The misclassified pictures of `repeats.final_predictions`, a row each, with COLUMNS.

    A picture is misclassified if any of the `repeats` that validate it predicts another class than its `label`.
    `predicted` is the wrong class that most of them predict (in a tie the lower number), `votes` their number, and
    `probability` their mean probability of that class. `loss` is the mean over all repeats of the picture.
    """
    wrong = predictions[predictions["predicted"] != predictions["label"]]
    rows = [_of_image(predictions[predictions["image"] == image], voted) for image, voted in wrong.groupby("image")]
    # The groups come in the order of their names, which a stable sort keeps for equal losses.
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("loss", ascending=False, kind="stable")


def _of_image(repeats: pd.DataFrame, wrong: pd.DataFrame) -> tuple[object, ...]:
    predicted = int(wrong["predicted"].mode()[0])
    voters = wrong[wrong["predicted"] == predicted]
    image, label = repeats["image"].iloc[0], int(repeats["label"].iloc[0])
    probability, loss = float(voters["probability"].mean()), float(repeats["loss"].mean())
    return image, label, predicted, len(voters), len(repeats), probability, loss
