"""One row of the benchmark with scikit-learn or PyTorch: reads JSON lines with a row each, answers microseconds.

A row: {"peer", "sizes", "minibatch", "optimizer", "steps", "repetitions", "tables"}. Answers {"microseconds": [...]} per
repetition and step, or {"absent": reason}. One thread, as all others in the benchmark.
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


def repeat(row, step, warm=10):
    for i in range(min(warm, row["steps"])):
        step(i)
    results = []
    for _ in range(row["repetitions"]):
        start = time.perf_counter()
        for i in range(row["steps"]):
            step(i)
        results.append((time.perf_counter() - start) / row["steps"] * 1e6)
    return results


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


peers = {"scikit-learn": scikit_learn, "pytorch": pytorch}
for line in sys.stdin:
    row = json.loads(line)
    try:
        answer = peers[row["peer"]](row)
    except ImportError as error:
        answer = {"absent": str(error)}
    print(json.dumps(answer), flush=True)
