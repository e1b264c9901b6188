"""Writes HDF5 files of many kinds into a folder, and beside each the numbers in it as JSON."""

import json
import sys

import h5py
import numpy as np

folder = sys.argv[1]
random = np.random.default_rng(0)


def numbers(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 100, shape).astype(dtype)


TYPES = ["f8", "f4", "f2", ">f8", ">f4", ">f2", "i1", "u1", "i2", ">i4", "i8", ">u8", "c16", "c8", ">c16"]

FILTERS = [
    {},
    {"compression": "gzip"},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"fletcher32": True},
]

# Shapes, chunks and limits that lead to every index of chunks.
CHUNKS = [
    ((20, 30), (7, 8), None),
    ((20, 30), (20, 30), None),
    ((20, 30), (7, 8), (None, 30)),
    ((20, 30), (7, 8), (20, None)),
    ((20, 30), (7, 8), (None, None)),
    ((20, 30), (7, 8), (50, 60)),
    ((6, 5, 4, 3), (4, 2, 3, 2), None),
    ((5,), (64,), (None,)),
    ((3000,), (1,), None),
    ((3000,), (1,), (None,)),
    ((40, 50), (1, 1), (None, None)),
    ((40, 50, 2), (3, 4, 1), (None, 50, 5)),
]


def write(file):
    for dtype in TYPES:
        file.create_dataset(f"types/{dtype}", data=numbers((5, 7), dtype))
    for f, filters in enumerate(FILTERS):
        for c, (shape, chunks, limits) in enumerate(CHUNKS):
            file.create_dataset(
                f"chunks/{f}/{c}", data=numbers(shape, "f4"), chunks=chunks, maxshape=limits, **filters
            )
    for name, options in [("tree", {}), ("grows", {"maxshape": (None, 11), "compression": "gzip"})]:
        part = file.create_dataset(
            f"fill/{name}", shape=(10, 11), dtype="f8", chunks=(3, 4), fillvalue=2.5, **options
        )
        part[4:6, 5:7] = 7
    file.create_dataset("fill/never", shape=(10, 11), dtype="f8", fillvalue=-1)
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_chunk((3, 4))
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    space = h5py.h5s.create_simple((10, 11))
    made = h5py.h5d.create(file.id, b"early", h5py.h5t.IEEE_F64LE, space, early)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, numbers((10, 11), "f8"))
    many = file.create_group("many")
    for k in range(600):
        many.create_dataset(f"name{k}", data=np.float32([k, k + 0.5]))
    attributes = file.create_group("attributes")
    for k in range(100):
        attributes.attrs[f"a{k}"] = f"text {k}"
    attributes.attrs["long"] = "q" * 70000
    attributes.attrs["list"] = ["x", "yy", "é"]
    file["soft"] = h5py.SoftLink("/types/f8")
    file["hard"] = file["types/f4"]
    file["named"] = np.dtype("f4")
    file.create_dataset("of_named", data=numbers((3, 3), "f4"), dtype=file["named"])
    shrunk = file.create_dataset("shrunk", data=numbers((30, 40), "f4"), chunks=(7, 8), maxshape=(None, None))
    shrunk.resize((11, 13))


def truth(file):
    found = {}

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        value = np.asarray(item[()])
        if value.dtype.kind == "c":
            value = np.stack([value.real, value.imag], -1)
        found[name] = {"shape": list(item.shape), "numbers": value.astype("f8").ravel().tolist()}

    file.visititems(visit)
    return found


for version in ["earliest", "latest"]:
    for block in [0, 1024]:
        for track in [False, True]:
            path = f"{folder}/{version}-{block}-{track}.h5"
            options = {"userblock_size": block} if block else {}
            with h5py.File(path, "w", libver=version, track_order=track, **options) as file:
                write(file)
            with h5py.File(path) as file:
                with open(path + ".json", "w") as out:
                    json.dump(truth(file), out)
