"""LeNet-5 on MNIST as a student writes it in PyTorch: `python tests/bench/student.py FOLDER EPOCHS`."""

import gzip
import sys

import numpy as np
import torch
from torch import nn

BATCH = 64

folder, epochs = sys.argv[1], int(sys.argv[2])
with gzip.open(f"{folder}/t10k-images-idx3-ubyte.gz") as file:
    images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
with gzip.open(f"{folder}/t10k-labels-idx1-ubyte.gz") as file:
    labels = np.frombuffer(file.read(), np.uint8, offset=8)

torch.manual_seed(0)
order = torch.randperm(len(images))
x = (torch.tensor(images, dtype=torch.float32) / 255)[order]
y = torch.tensor(labels, dtype=torch.long)[order]
x_train, y_train, x_test, y_test = x[:8000], y[:8000], x[8000:], y[8000:]

net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)  # fmt: skip
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
accuracy = 0.0
for _ in range(epochs):
    net.train()
    for part in torch.split(torch.randperm(len(x_train)), BATCH):
        optimizer.zero_grad()
        loss_of(net(x_train[part]), y_train[part]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
print(accuracy)
