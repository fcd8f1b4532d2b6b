"""The validation images that a variant finds hardest: those with the largest mean loss over its repeats."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class HardImage:
    """An image and what is predicted of it.

    `predicted` is the class that most repeats predict, `votes` how many do, `probability` the mean of what these give
    it. `loss` is the mean over all repeats of the image.
    """

    image: str
    label: int
    predicted: int
    votes: int
    probability: float
    loss: float


def of_predictions(predictions: pd.DataFrame, count: int) -> list[HardImage]:
    """The `count` hardest images of a variant's predictions (`repeats.final_predictions`), the hardest first."""
    losses = predictions.groupby("image")["loss"].mean()  # by name, so that a stable sort leaves equals in its order
    hardest = losses.sort_values(ascending=False, kind="stable").index[:count]
    by_image = dict(list(predictions.groupby("image")))
    return [_of_image(image, by_image[image]) for image in hardest]


def _of_image(image: str, repeats: pd.DataFrame) -> HardImage:
    predicted = int(repeats["predicted"].mode()[0])  # of equally many votes, the lower class
    voters = repeats[repeats["predicted"] == predicted]
    return HardImage(
        image=str(image),
        label=int(repeats["label"].iloc[0]),
        predicted=predicted,
        votes=len(voters),
        probability=float(voters["probability"].mean()),
        loss=float(repeats["loss"].mean()),
    )
