"""The head trained to its end: logistic regression on the pooled output, the reference that no schedule sets."""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stages.training.data import Data

STRENGTHS = tuple(
    10.0**power for power in range(-5, 2)
)  # inverse penalties: from nearly no weights to hardly any bound
PARTS_OF_TRAINING = 5
MOST_STEPS = 10_000  # of the solver: far more than it takes


def converged_logits(data: Data, threads: int) -> np.ndarray:
    """Validation's logits under the converged head, float64 (n, 1) for two classes or (n, classes).

    The features are standardised and not augmented. The penalty is the one with the lowest cross-entropy over parts of
    the training pictures that each take their turn in being held out; no validation picture has a say in it.
    """
    chosen = LogisticRegressionCV(
        Cs=STRENGTHS,
        cv=StratifiedKFold(PARTS_OF_TRAINING, shuffle=True, random_state=data.repeat.seed),
        scoring="neg_log_loss",
        max_iter=MOST_STEPS,
        l1_ratios=(0.0,),  # ridge
        class_weight=data.class_weights,
        use_legacy_attributes=False,
    )
    model = make_pipeline(StandardScaler(), chosen)
    with threadpool_limits(threads):  # the last bits of sums follow from the number of threads
        model.fit(data.pooled("training"), data.labels("training"))
        logits = model.decision_function(data.pooled("validation"))
    return logits.reshape(len(logits), -1)
