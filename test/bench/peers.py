"""Rows of the benchmark with scikit-learn or PyTorch: reads JSON lines with a question each, answers microseconds.

A row: {"peer", "sizes", "minibatch", "optimizer", "steps", "tables"}. It is made ready, and answered by
{"microseconds": []}, or by {"absent": reason}. {"again": peer, "milliseconds"} repeats its steps for so long, at least
once, and answers {"microseconds": [one]}, of a step. One thread, as all others in the benchmark.
"""
import json
import sys
import time

import numpy as np


def dense_data(sizes, minibatch, steps):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((steps, minibatch, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], (steps, minibatch))
    return x, y


ready = {}


def repeat(row, step):
    def microseconds(least):
        start, passes, passed = time.perf_counter(), 0, 0.0
        while passes == 0 or passed < least / 1e3:
            for i in range(row["steps"]):
                step(i)
            passes += 1
            passed = time.perf_counter() - start
        return passed / passes / row["steps"] * 1e6

    ready[row["peer"]] = microseconds
    return []


def again(question):
    return {"microseconds": [ready[question["again"]](question["milliseconds"])]}


def scikit_learn(row):
    from sklearn.linear_model import SGDClassifier
    from sklearn.neural_network import MLPClassifier

    if row["kind"] != "dense":
        return {"absent": "scikit-learn has no such network"}
    sizes = row["sizes"]
    x, y = dense_data(sizes, row["minibatch"], row["steps"])
    classes = np.arange(sizes[-1])
    if len(sizes) == 2:
        if row["optimizer"] != "sgd":
            return {"absent": "SGDClassifier has no Adam"}
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01, alpha=0)
    else:
        model = MLPClassifier(
            hidden_layer_sizes=sizes[1:-1], solver=row["optimizer"], learning_rate_init=0.01,
            batch_size=row["minibatch"], alpha=0, momentum=0,
        )
    return {"microseconds": repeat(row, lambda i: model.partial_fit(x[i], y[i], classes=classes))}


def pytorch(row):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(7)
    steps, minibatch = row["steps"], row["minibatch"]
    if row["kind"] == "dense":
        sizes = row["sizes"]
        layers = []
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
        x, y = dense_data(sizes, minibatch, steps)
        inputs, targets = [torch.from_numpy(v) for v in x], [torch.from_numpy(v) for v in y]
        loss = nn.CrossEntropyLoss()
    elif row["kind"] == "convolutional":
        model = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )
        x, y = dense_data([784, 10], minibatch, steps)
        inputs = [torch.from_numpy(v.reshape(minibatch, 1, 28, 28)) for v in x]
        targets = [torch.from_numpy(v) for v in y]
        loss = nn.CrossEntropyLoss()
    elif row["kind"] == "recurrent":
        class Recurrent(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(8, 64, batch_first=True)
                self.out = nn.Linear(64, 1)

            def forward(self, x):
                return self.out(self.lstm(x)[0][:, -1]).squeeze(1)

        model = Recurrent()
        rng = np.random.default_rng(7)
        inputs = [torch.from_numpy(rng.standard_normal((minibatch, 20, 8)).astype(np.float32)) for _ in range(steps)]
        targets = [torch.from_numpy(rng.integers(0, 2, minibatch).astype(np.float32)) for _ in range(steps)]
        loss = nn.BCEWithLogitsLoss()
    else:
        class Embedded(nn.Module):
            def __init__(self):
                super().__init__()
                self.tables = nn.ModuleList([nn.Embedding(n, k) for n, k in row["tables"]])
                widths = [1 + sum(k for _, k in row["tables"]), *row["hidden"], 1]
                layers = []
                for before, after in zip(widths, widths[1:]):
                    layers += [nn.Linear(before, after), nn.ReLU()]
                self.layers = nn.Sequential(*layers[:-1])

            def forward(self, parts):
                number, categories = parts
                tables = [table(categories[:, i]) for i, table in enumerate(self.tables)]
                return self.layers(torch.cat([number, *tables], 1)).squeeze(1)

        model = Embedded()
        rng = np.random.default_rng(7)
        inputs = [
            (
                torch.from_numpy(rng.standard_normal((minibatch, 1)).astype(np.float32)),
                torch.from_numpy(np.stack([rng.integers(0, n, minibatch) for n, _ in row["tables"]], 1)),
            )
            for _ in range(steps)
        ]
        targets = [torch.from_numpy(rng.integers(0, 2, minibatch).astype(np.float32)) for _ in range(steps)]
        loss = nn.BCEWithLogitsLoss()
    algorithms = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimizer = algorithms[row["optimizer"]](model.parameters(), lr=0.01)

    def step(i):
        optimizer.zero_grad()
        loss(model(inputs[i]), targets[i]).backward()
        optimizer.step()

    return {"microseconds": repeat(row, step)}


def stream(question):
    """Learns a stream message by message: {"file", "message", "months", "repetitions"}; microseconds are of a whole pass.

    The files hold float32 numbers, int32 categories and float32 labels, row by row. Predictions for the AUC are made
    from the second month on, each before its message is learnt, outside of the time.
    """
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import roc_auc_score

    labels = np.fromfile(question["file"] + ".labels", np.float32).astype(np.int64)
    numbers = np.fromfile(question["file"] + ".numbers", np.float32).reshape(len(labels), -1)
    categories = np.fromfile(question["file"] + ".categories", np.int32).reshape(len(labels), -1)
    offsets = np.concatenate([[0], np.cumsum(categories.max(axis=0) + 1)])
    width = numbers.shape[1]
    columns = np.concatenate([np.tile(np.arange(width), (len(labels), 1)), categories + offsets[:-1] + width], axis=1)
    values = np.concatenate([numbers, np.ones_like(categories, dtype=np.float32)], axis=1).astype(np.float64)
    rows = np.arange(len(labels) + 1) * columns.shape[1]
    x = csr_matrix((values.ravel(), columns.ravel().astype(np.int32), rows), shape=(len(labels), width + offsets[-1]))
    messages, start = [], 0
    for month, count in enumerate(question["months"]):
        for first in range(0, count, question["message"]):
            part = slice(start + first, start + min(first + question["message"], count))
            messages.append((month, part, x[part]))
        start += count
    microseconds = []
    for _ in range(question["repetitions"]):
        model = SGDClassifier(**settings)
        seconds, scores, truth = 0.0, [], []
        for month, part, rows in messages:
            if month > 0:
                scores.append(model.decision_function(rows))
                truth.append(labels[part])
            begin = time.perf_counter()
            model.partial_fit(rows, labels[part], classes=[0, 1])
            seconds += time.perf_counter() - begin
        microseconds.append(seconds * 1e6)
    auc = roc_auc_score(np.concatenate(truth), np.concatenate(scores))
    return {"microseconds": microseconds, "auc": auc}


# The best of several learning rates on this stream.
settings = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.1, "alpha": 1e-6}
peers = {"scikit-learn": scikit_learn, "pytorch": pytorch, "stream": stream}
for line in sys.stdin:
    row = json.loads(line)
    try:
        answer = again(row) if "again" in row else peers[row["peer"]](row)
    except ImportError as error:
        answer = {"absent": str(error)}
    print(json.dumps(answer), flush=True)
