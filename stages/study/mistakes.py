"""The validation pictures that a schedule gets wrong, the worst first: those with the largest mean loss."""

import pandas as pd

MAPS = "maps.npz"  # of the worst: class activation maps by data set, float16 (pictures, height, width)
SHOWN = 48  # of a data set have a map, and are shown in the report, which has to stay small
COLUMNS = ("image", "label", "predicted", "votes", "repeats", "probability", "loss")


def of_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """The misclassified pictures of `repeats.final_predictions`, a row each, with COLUMNS.

    A picture is misclassified where any of the `repeats` that validate it names another class than its `label`.
    `predicted` is the wrong class that most of them name (of equally many the lower), `votes` how many do, and
    `probability` the mean of what these give it; `loss` is the mean over all repeats of the picture.
    """
    wrong = predictions[predictions["predicted"] != predictions["label"]]
    rows = [_of_image(predictions[predictions["image"] == image], told) for image, told in wrong.groupby("image")]
    # In the order of the names, so that a stable sort leaves equals in it.
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("loss", ascending=False, kind="stable")


def _of_image(repeats: pd.DataFrame, wrong: pd.DataFrame) -> tuple[object, ...]:
    predicted = int(wrong["predicted"].mode()[0])
    voters = wrong[wrong["predicted"] == predicted]
    image, label = repeats["image"].iloc[0], int(repeats["label"].iloc[0])
    probability, loss = float(voters["probability"].mean()), float(repeats["loss"].mean())
    return image, label, predicted, len(voters), len(repeats), probability, loss
