"""The contenders in Python, behind a protocol of JSON lines: a request on standard input, its answer on
standard output. The process stays, so that each takes its turn between the others; the time is taken here,
around the calls alone.

    {"do": "load", "file", "dtype", "shape"}        entries, row-major, from a file
    {"do": "time", "name", "loops"}                 {"ms"} in all
    {"do": "answer", "name", "file"}                {"sigmas", "parts": [[key, count], ...]}, numbers in the file
    {"do": "release"}

The thread count is set by the environment before anything is imported.
"""

import ctypes
import json
import os
import re
import sys
import time

answers = sys.stdout
sys.stdout = sys.stderr


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


try:
    import numpy as np
except Exception as error:
    answer({"error": "numpy: %s" % error})
    sys.exit(0)
try:
    import torch
except Exception:
    torch = None
try:
    import scipy
    from scipy.sparse.linalg import svds
except Exception:
    scipy = None

threads = int(os.environ["OMP_NUM_THREADS"])
if torch is not None:
    torch.set_num_threads(threads)

entries = None
tensor = None


def torch_gradient():
    """Forward and backward of the sum of the norms, which for one matrix is its norm."""
    tensor.grad = None
    norms = torch.linalg.matrix_norm(tensor, 2)
    norms.sum().backward()
    return norms


def answer_torch():
    norms = torch_gradient()
    return {"sigmas": norms.detach().reshape(-1).tolist()}, {"gradients": tensor.grad.numpy()}


def arpack(tol):
    # A seed, so that the call whose answer is checked is the one that was timed.
    return svds(entries, k=1, tol=tol, random_state=1)


def answer_arpack(tol):
    u, s, vt = arpack(tol)
    return {"sigmas": [float(s[0])]}, {"u": u[:, 0], "v": vt[0]}


def numpy_norm():
    return np.linalg.norm(entries, 2, axis=(-2, -1))


def answer_numpy():
    return {"sigmas": np.atleast_1d(numpy_norm()).astype(float).tolist()}, {}


calls = {}
if torch is not None:
    calls["PyTorch matrix_norm(2), backward"] = (torch_gradient, answer_torch)
if scipy is not None:
    calls["SciPy svds(k=1)"] = (lambda: arpack(0), lambda: answer_arpack(0))
    calls["SciPy svds(k=1, tol=1e-5)"] = (lambda: arpack(1e-5), lambda: answer_arpack(1e-5))
calls["NumPy linalg.norm(2)"] = (numpy_norm, answer_numpy)


def blas():
    """The linear algebra libraries that this process has loaded, as they name themselves."""
    names = set()
    try:
        with open("/proc/self/maps") as maps:
            paths = set(re.findall(r"/\S*(?:openblas|mkl_rt|mkl_core|blis)\S*", maps.read()))
        for path in paths:
            for suffix in ("", "64_"):
                try:
                    config = getattr(ctypes.CDLL(path), "openblas_get_config" + suffix)
                    config.restype = ctypes.c_char_p
                    names.add(config().decode().strip())
                except Exception:
                    pass
    except OSError:
        pass
    if torch is not None and torch.backends.mkl.is_available():
        names.add("MKL (torch)")
    return "; ".join(sorted(names))


def load(request):
    global entries, tensor
    entries = np.fromfile(request["file"], dtype=request["dtype"]).reshape(request["shape"])
    if torch is not None:
        tensor = torch.from_numpy(entries).requires_grad_(True)
    return {}


def clock(request):
    call = calls[request["name"]][0]
    begin = time.perf_counter()
    for _ in range(request["loops"]):
        call()
    return {"ms": (time.perf_counter() - begin) * 1000}


def result(request):
    found, arrays = calls[request["name"]][1]()
    with open(request["file"], "wb") as out:
        for values in arrays.values():
            out.write(np.ascontiguousarray(values).tobytes())
    found["parts"] = [[key, int(values.size)] for key, values in arrays.items()]
    return found


def release(_request):
    global entries, tensor
    entries = tensor = None
    return {}


actions = {"load": load, "time": clock, "answer": result, "release": release}
versions = {"python": sys.version.split()[0], "numpy": np.__version__, "blas": blas()}
if torch is not None:
    versions["torch"] = torch.__version__
if scipy is not None:
    versions["scipy"] = scipy.__version__
answer({"versions": versions, "names": list(calls)})
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer(actions[request["do"]](request))
    except Exception as error:
        answer({"error": "%s: %s" % (type(error).__name__, error)})
