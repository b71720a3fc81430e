"""LeNet-5 on MNIST as a student writes it in PyTorch: `python student.py FOLDER EPOCHS SEED`.

Prints the held-out accuracy after every epoch.
"""

import sys

import numpy as np
import torch
from torch import nn

BATCH = 64

folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(seed)
train, test = np.load(f"{folder}/train.npz"), np.load(f"{folder}/test.npz")
x_train = torch.tensor(train["x"], dtype=torch.float32) / 255
y_train = torch.tensor(train["y"], dtype=torch.long)
x_test = torch.tensor(test["x"], dtype=torch.float32) / 255
y_test = torch.tensor(test["y"], dtype=torch.long)

net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)  # fmt: skip
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
accuracy = []
for _ in range(epochs):
    net.train()
    for part in torch.split(torch.randperm(len(x_train)), BATCH):
        optimizer.zero_grad()
        loss_of(net(x_train[part]), y_train[part]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy.append((net(x_test).argmax(1) == y_test).float().mean().item())
print(accuracy)
