"""Writes iris.json: what scikit-learn's MLPClassifier makes of the iris flowers (Fisher 1936), from
weights that are written beside it. Debian: python3-sklearn. `python3 write.py` beside this file."""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sklearn.utils import shuffle

warnings.filterwarnings("ignore")
data = load_iris()
x, y = shuffle(data.data, data.target, random_state=0)
x = ((x - x.mean(0)) / x.std(0)).round(6)

settings = {
    "adam": dict(solver="adam", activation="relu", alpha=1e-4, learning_rate_init=0.001),
    "sgd with Nesterov's momentum": dict(
        solver="sgd", activation="tanh", alpha=0.01, learning_rate_init=0.05, momentum=0.9
    ),
    "plain sgd": dict(
        solver="sgd", activation="logistic", alpha=0.0, learning_rate_init=0.5, momentum=0.0
    ),
}


def weights(network):
    return {
        "kernels": [w.ravel().tolist() for w in network.coefs_],
        "biases": [b.tolist() for b in network.intercepts_],
    }


def golden(own, epochs=100):
    network = MLPClassifier(
        hidden_layer_sizes=(10,), batch_size=50, shuffle=False, random_state=1, **own
    )
    # One step as small as none builds it; then it begins where the file says, in float32.
    network.set_params(learning_rate_init=1e-300)
    network.partial_fit(x, y, classes=[0, 1, 2])
    network.coefs_ = [w.astype(np.float32).astype(np.float64) for w in network.coefs_]
    network.intercepts_ = [b.astype(np.float32).astype(np.float64) for b in network.intercepts_]
    initial = weights(network)
    network.set_params(learning_rate_init=own["learning_rate_init"])
    del network._optimizer
    network.t_ = 0
    losses = []
    for _ in range(epochs):
        network.partial_fit(x, y)
        losses.append(network.loss_)
    return {**own, "initial": initial, "losses": losses, "final": weights(network)}


folder = Path(__file__).parent
folder.joinpath("iris.json").write_text(
    json.dumps(
        {
            "scikit-learn": sklearn.__version__,
            "x": x.ravel().tolist(),
            "y": y.tolist(),
            "goldens": {name: golden(own) for name, own in settings.items()},
        }
    )
    + "\n"
)
