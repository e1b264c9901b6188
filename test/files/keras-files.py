"""Writes files in the layouts of Keras' own writers into a folder, and the numbers in them as expected.json."""

import io
import json
import sys
import zipfile

import h5py
import numpy as np

folder = sys.argv[1]
random = np.random.default_rng(0)
expected = {}


def numbers(*shape):
    return random.standard_normal(shape).astype("f4")


def expect(file, name, values):
    expected.setdefault(file, {})[name] = {"shape": list(values.shape), "values": values.astype("f8").ravel().tolist()}


def texts(group, name, values):
    """A list of names, in several attributes if it is too long for one, as Keras 2 writes it."""
    data = np.asarray([value.encode() for value in values])
    parts = 1
    while any(part.nbytes > 64512 for part in np.array_split(data, parts)):
        parts += 1
    if parts == 1:
        group.attrs[name] = data
    else:
        for k, part in enumerate(np.array_split(data, parts)):
            group.attrs[f"{name}{k}"] = part


def keras2(name, more):
    """keras.saving.legacy.hdf5_format"""
    layers = {
        "conv2d": {"conv2d/kernel:0": numbers(3, 3, 2, 4), "conv2d/bias:0": numbers(4)},
        "dense": {"dense/kernel:0": numbers(4, 6), "dense/bias:0": numbers(6)},
    }
    for k in range(more):
        layers[f"dense_with_a_long_name_{k:05}"] = {f"dense_with_a_long_name_{k:05}/kernel:0": numbers(1, 2)}
    with h5py.File(f"{folder}/{name}", "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": []}})
        group = file.create_group("model_weights")
        texts(group, "layer_names", layers)
        for layer, weights in layers.items():
            own = group.create_group(layer)
            texts(own, "weight_names", weights)
            for weight, values in weights.items():
                own.create_dataset(weight, values.shape, dtype=values.dtype)[:] = values
                expect(name, weight, values)
        group.create_group("top_level_model_weights").attrs["weight_names"] = []
        file.create_group("optimizer_weights")["iter"] = np.int64(3)


def layer(file, path, name, weights, dtype=None):
    variables = file.create_group(path).create_group("vars")
    variables.attrs["name"] = name
    for k, values in enumerate(weights):
        if dtype == "bfloat16":
            bits = (values.view("u4") >> 16).astype("u2")
            variables[str(k)] = np.frombuffer(bits.tobytes(), "V2").reshape(values.shape)
            variables[str(k)].attrs["dtype"] = dtype
        else:
            variables[str(k)] = values


def keras3(names):
    """keras.saving.saving_lib"""
    kernel, bias, second = numbers(3, 2, 4), numbers(4), numbers(5, 3)
    half = (numbers(11, 12).view("u4") & np.uint32(0xFFFF0000)).view("f4")
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        layer(file, "layers/conv1d", "first", [kernel, bias])
        layer(file, "layers/dense", "second", [second])
        layer(file, "layers/dropout", "nothing", [])
        layer(file, "layers/dense_1", "half", [half], "bfloat16")
        file.create_group("optimizer").create_group("vars")["0"] = np.int64(3)
    layers = [
        {"class_name": "Conv1D", "config": {"name": "first"}},
        {"class_name": "Dense", "config": {"name": "second"}},
        {"class_name": "Dropout", "config": {"name": "nothing"}},
        {"class_name": "Dense", "config": {"name": "half"}},
    ]
    config = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
    for name in names:
        if name.endswith(".h5"):
            with open(f"{folder}/{name}", "wb") as out:
                out.write(stored.getvalue())
        else:
            method = zipfile.ZIP_DEFLATED if name.startswith("packed") else zipfile.ZIP_STORED
            with zipfile.ZipFile(f"{folder}/{name}", "w", method) as archive:
                archive.writestr("metadata.json", "{}")
                archive.writestr("config.json", config)
                archive.writestr("model.weights.h5", stored.getvalue())
        for weight, values in {"first/kernel": kernel, "first/bias": bias, "second/kernel": second}.items():
            expect(name, weight, values)
        expect(name, "half/kernel", half)


keras2("model.h5", 0)
keras2("many.h5", 3000)
keras3(["model.weights.h5", "model.keras", "packed.keras"])
with open(f"{folder}/expected.json", "w") as out:
    json.dump(expected, out)
