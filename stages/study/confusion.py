"""The confusion matrix, and precision, recall and F1 of every class."""

from typing import Any

import numpy as np
import pandas as pd


def matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The number of pictures by true class (rows) and predicted class (columns), int (classes, classes)."""
    from sklearn.metrics import confusion_matrix  # takes a second to import

    return confusion_matrix(labels, predicted, labels=range(classes))


def of_classes(counts: np.ndarray) -> pd.DataFrame:
    """`pictures`, `precision`, `recall` and `f1` of each class of a confusion matrix, indexed by class number.

    Precision is NaN where the class is never predicted, recall where it has no pictures. F1 is their harmonic mean.
    """
    from sklearn.metrics import precision_recall_fscore_support

    actual, predicted = np.indices(counts.shape).reshape(2, -1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, sample_weight=counts.ravel(), labels=range(len(counts)), zero_division=np.nan
    )
    return pd.DataFrame({"pictures": counts.sum(axis=1), "precision": precision, "recall": recall, "f1": f1})


def balanced_accuracy(scores: pd.DataFrame) -> float:
    """The mean recall of the classes that have pictures, each with the same weight."""
    return float(scores["recall"].mean())


def most_confused(counts: np.ndarray) -> tuple[int, int] | None:
    """The class that is most often taken for one other class, by its share of the class's pictures, and that other.

    None if no prediction is wrong.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    actual, predicted = np.unravel_index(shares.argmax(), shares.shape)
    return (int(actual), int(predicted)) if shares[actual, predicted] else None


def as_json(counts: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """The matrix, the balanced accuracy, the scores by class name and the most frequent confusion; None for NaN."""
    scores = of_classes(counts)
    rows = scores.astype(object).where(scores.notna(), None).to_dict("records")
    return {
        "balanced_accuracy": balanced_accuracy(scores),
        "classes": [{"name": name, **row} for name, row in zip(classes, rows, strict=True)],
        "matrix": counts.tolist(),
        "most_confused": most_confused(counts),
    }
