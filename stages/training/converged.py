"""The converged head: logistic regression on the pooled output, a reference that depends on no schedule."""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stages.common.command import ThawError
from stages.training.data import Data

STRENGTHS = tuple(
    10.0**power for power in range(-5, 2)
)  # inverse penalties: from nearly no weights to hardly any bound
PARTS_OF_TRAINING = 5
MOST_STEPS = 10_000  # of the solver: far more than it takes


def converged_logits(data: Data, threads: int) -> np.ndarray:
    """The converged head's logits of the validation pictures, float64 (n, 1) for two classes or (n, classes).

    The features are standardised and not augmented. Cross-validation on the training pictures chooses the penalty with
    the lowest cross-entropy; validation pictures play no part in the choice. Raises ThawError if a class has too few
    pictures for that.
    """
    labels = data.labels("training")
    fewest = int(np.bincount(labels, minlength=data.classes).min())
    if fewest < 2:
        raise ThawError(
            f"repeat {data.repeat.number}: a class has {fewest} training images, and the converged head needs 2 of "
            "each to hold one out; give it more"
        )
    regression = LogisticRegressionCV(
        Cs=STRENGTHS,
        cv=StratifiedKFold(min(PARTS_OF_TRAINING, fewest), shuffle=True, random_state=data.repeat.seed),
        scoring="neg_log_loss",
        max_iter=MOST_STEPS,
        l1_ratios=(0.0,),  # ridge
        class_weight=None if data.class_weights is None else dict(enumerate(data.class_weights)),
        use_legacy_attributes=False,
    )
    model = make_pipeline(StandardScaler(), regression)
    with threadpool_limits(threads):  # the last bits of sums depend on the number of threads
        model.fit(data.pooled("training"), labels)
        logits = model.decision_function(data.pooled("validation"))
    return logits.reshape(len(logits), -1)
