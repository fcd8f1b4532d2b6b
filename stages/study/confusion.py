"""Which classes are taken for which: the confusion matrix, and precision, recall and F1 of every class."""

from typing import Any

import numpy as np
import pandas as pd


def matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many pictures of each class (rows) are taken for each class (columns), int (classes, classes)."""
    from sklearn.metrics import confusion_matrix  # takes a second, which no reader of the other functions needs

    return confusion_matrix(labels, predicted, labels=range(classes))


def of_classes(counts: np.ndarray) -> pd.DataFrame:
    """`pictures`, `precision`, `recall` and `f1` of each class, by its number, of a confusion matrix.

    A precision or recall of no pictures at all is NaN. F1 is the harmonic mean of the two.
    """
    from sklearn.metrics import precision_recall_fscore_support

    actual, predicted = np.indices(counts.shape).reshape(2, -1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, sample_weight=counts.ravel(), labels=range(len(counts)), zero_division=np.nan
    )
    return pd.DataFrame({"pictures": counts.sum(axis=1), "precision": precision, "recall": recall, "f1": f1})


def balanced_accuracy(scores: pd.DataFrame) -> float:
    """The mean recall of the classes that have pictures: each class counts as much as any other."""
    return float(scores["recall"].mean())


def told(counts: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """All of this by class names, as json has it: None where there is no number."""
    scores = of_classes(counts)
    rows = scores.astype(object).where(scores.notna(), None).to_dict("records")
    return {
        "balanced_accuracy": balanced_accuracy(scores),
        "classes": [{"name": name, **row} for name, row in zip(classes, rows, strict=True)],
        "matrix": counts.tolist(),
    }
