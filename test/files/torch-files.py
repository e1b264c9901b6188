"""Writes files of PyTorch into a folder, and what is in them to expected.json."""

import argparse
import json
import os
import sys

import torch
from torch import nn

folder = sys.argv[1]
expected = {}
torch.manual_seed(1)


def numbers(tensor):
    tensor = tensor.detach()
    if tensor.is_quantized:
        # Rounded once, in double precision before that.
        scales = tensor.q_scale() if tensor.qscheme() == torch.per_tensor_affine else tensor.q_per_channel_scales()
        zero = tensor.q_zero_point() if tensor.qscheme() == torch.per_tensor_affine else 0
        codes = tensor.int_repr().double() - zero
        if not isinstance(scales, float):
            scales = scales.reshape([-1] + [1] * (codes.dim() - 1))
        tensor = codes * scales
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.double().reshape(-1).tolist()


def put(name, value, tensors, **options):
    torch.save(value, os.path.join(folder, name), **options)
    expected[name] = {key: {"shape": list(t.shape), "values": numbers(t)} for key, t in tensors.items()}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(5, 7)
        self.recurrent = nn.LSTM(4, 6)
        self.table = nn.Embedding(9, 5)
        self.tied = nn.Linear(5, 9)
        self.tied.weight = self.table.weight


net = Net()
weights = {key: t for key, t in net.state_dict().items() if t.is_floating_point()}
old = {"_use_new_zipfile_serialization": False}
for protocol in [2, 3, 4, 5]:
    put(f"state-{protocol}.pt", net.state_dict(), weights, pickle_protocol=protocol)
    put(f"state-old-{protocol}.pth", net.state_dict(), weights, pickle_protocol=protocol, **old)

large = torch.randn(60, 50)
views = {
    "transposed": large.t(),
    "slice": large[3:40, 5:17],
    "steps": large[::3, ::7],
    "whole": large,
    "again": large,
    "last channels": torch.randn(8, 5, 3, 3).to(memory_format=torch.channels_last),
    "permuted": torch.randn(4, 5, 6, 7).permute(2, 0, 3, 1),
    "expanded": torch.randn(7, 1).expand(7, 9),
    "overlapping": torch.randn(40).as_strided((10, 5), (3, 2)),
    "half": large.half().t(),
    "bfloat16": large[:9].bfloat16(),
    "double": torch.randn(5, 6, dtype=torch.float64).t(),
    "complex64": torch.randn(5, 6, dtype=torch.complex64).t(),
    "complex128": torch.randn(5, 6, dtype=torch.complex128)[:, 1:3],
    "empty": torch.randn(0, 4),
    "scalar": torch.tensor(2.5),
    "parameter": nn.Parameter(torch.randn(3, 2)),
}
put("views.pt", views, views)
put("views-old.pt", views, views, **old)

optimizer = torch.optim.Adam(net.parameters())
net.linear(torch.randn(2, 5)).sum().backward()
optimizer.step()
checkpoint = {
    "epoch": 3,
    "state_dict": net.state_dict(),
    "optimizer_states": [optimizer.state_dict()],
    "hyper_parameters": argparse.Namespace(lr=0.1),
    "device": torch.device("cpu"),
    "dtype": torch.float16,
    "size": torch.Size([1, 2]),
}
tensors = {f"state_dict.{key}": t for key, t in net.state_dict().items() if t.is_floating_point()}
for parameter, state in optimizer.state_dict()["state"].items():
    for key, t in state.items():
        tensors[f"optimizer_states.0.state.{parameter}.{key}"] = t
put("lightning.ckpt", checkpoint, tensors)

scales = torch.rand(6).double() + 0.01
zeros = torch.zeros(6, dtype=torch.long)
quantized = {
    "tensor": torch.quantize_per_tensor(torch.randn(6, 8), 0.03, 3, torch.quint8),
    "rows": torch.quantize_per_channel(torch.randn(6, 8), scales, zeros, 0, torch.qint8),
    "conv": torch.quantize_per_channel(torch.randn(6, 2, 3, 3), scales, zeros, 0, torch.qint8).contiguous(
        memory_format=torch.channels_last
    ),
}
put("quantized.pt", quantized, quantized)

scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.Conv2d(3, 2, 3)))
scripted.save(os.path.join(folder, "script.pt"))
expected["script.pt"] = {
    key: {"shape": list(t.shape), "values": numbers(t)} for key, t in scripted.state_dict().items()
}

torch.save(nn.Linear(2, 3), os.path.join(folder, "module.pth"))
torch.save(nn.Linear(2, 3), os.path.join(folder, "module-old.pth"), **old)

with open(os.path.join(folder, "expected.json"), "w") as file:
    json.dump(expected, file)
