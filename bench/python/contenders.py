"""The contenders in Python, behind the protocol that contenders/answering.ts describes. The process stays, so that
each takes its turn between the others; the time is taken here, around the calls alone. The thread count is set by
the environment before anything is imported.
"""

import ctypes
import glob
import json
import os
import re
import sys
import time

# Libraries print warnings of their own, from C and Fortran, to either of the two: PROPACK does so at every product.
answers = os.fdopen(os.dup(1), "w")
silence = os.open(os.devnull, os.O_WRONLY)
os.dup2(silence, 1)
os.dup2(silence, 2)


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
# PROPACK has to be asked for up to SciPy 1.10.
os.environ["SCIPY_USE_PROPACK"] = "1"
try:
    import scipy
    from scipy.sparse.linalg import svds
except Exception:
    scipy = None

# Debian keeps it in a folder that its own .pth file does not always lead to.
for name in ("petsc", "slepc"):
    sys.path += sorted(glob.glob("/usr/lib/%sdir/*/*-real/lib/python3/dist-packages" % name))
try:
    import slepc4py

    slepc4py.init([sys.argv[0], "-no_signal_handler"])
    from petsc4py import PETSc
    from slepc4py import SLEPc
except Exception:
    slepc4py = None

threads = int(os.environ["OMP_NUM_THREADS"])
if torch is not None:
    torch.set_num_threads(threads)

entries = None
tensor = None
operator = None


def torch_gradient():
    """Forward and backward of the sum of the norms, which for one matrix is its norm."""
    tensor.grad = None
    norms = torch.linalg.matrix_norm(tensor, 2)
    norms.sum().backward()
    return norms


def answer_torch():
    norms = torch_gradient()
    return {"sigmas": norms.detach().reshape(-1).tolist()}, {"gradients": tensor.grad.numpy()}


def low_rank(steps):
    # A seed, as for the others below; the start is random.
    torch.manual_seed(1)
    with torch.no_grad():
        return torch.svd_lowrank(tensor, q=6, niter=steps)


def answer_low_rank(steps):
    u, s, v = low_rank(steps)
    return {"sigmas": [float(s[0])]}, {"u": u[:, 0].numpy(), "v": v[:, 0].numpy()}


def arpack(tol):
    # A seed, so that the call whose answer is checked is the one that was timed.
    return svds(entries, k=1, tol=tol, random_state=1)


def answer_arpack(tol):
    u, s, vt = arpack(tol)
    return {"sigmas": [float(s[0])]}, {"u": u[:, 0], "v": vt[0].conj()}


def propack():
    # At its own limit of ten steps it gives up on any of these matrices.
    steps = min(200, *entries.shape)
    return svds(entries, k=1, solver="propack", maxiter=steps, random_state=1)


def answer_propack():
    u, s, vt = propack()
    return {"sigmas": [float(s[0])]}, {"u": u[:, 0], "v": vt[0]}


def trlanczos(tol):
    svd = SLEPc.SVD().create(PETSc.COMM_SELF)
    svd.setOperator(operator)
    svd.setType("trlanczos")
    svd.setDimensions(1)
    svd.setTolerances(tol=tol)
    svd.solve()
    u, v = operator.createVecs(side="left"), operator.createVecs(side="right")
    sigma = svd.getSingularTriplet(0, u, v)
    svd.destroy()
    return sigma, u, v


def answer_trlanczos(tol):
    sigma, u, v = trlanczos(tol)
    return {"sigmas": [float(sigma)]}, {"u": u.array.copy(), "v": v.array.copy()}


def numpy_norm():
    return np.linalg.norm(entries, 2, axis=(-2, -1))


def answer_numpy():
    return {"sigmas": np.atleast_1d(numpy_norm()).astype(float).tolist()}, {}


def numpy_values():
    return np.linalg.svd(entries, compute_uv=False)


def answer_values():
    values = numpy_values()
    return {"sigmas": [float(values[0])]}, {"values": values}


calls = {}
if torch is not None:
    calls["PyTorch matrix_norm(2), backward"] = (torch_gradient, answer_torch)
    for steps in (2, 30):
        calls["PyTorch svd_lowrank(q=6, niter=%d)" % steps] = (
            lambda steps=steps: low_rank(steps),
            lambda steps=steps: answer_low_rank(steps),
        )
if scipy is not None:
    calls["SciPy svds(k=1)"] = (lambda: arpack(0), lambda: answer_arpack(0))
    calls["SciPy svds(k=1, tol=1e-5)"] = (lambda: arpack(1e-5), lambda: answer_arpack(1e-5))
    calls["SciPy svds(k=1, solver=propack)"] = (propack, answer_propack)
if slepc4py is not None:
    # SLEPc's own tolerance, and one that asks for what the others give by default.
    calls["SLEPc TRLanczos"] = (lambda: trlanczos(1e-8), lambda: answer_trlanczos(1e-8))
    calls["SLEPc TRLanczos, tol=1e-14"] = (lambda: trlanczos(1e-14), lambda: answer_trlanczos(1e-14))
calls["NumPy linalg.norm(2)"] = (numpy_norm, answer_numpy)
calls["NumPy svdvals"] = (numpy_values, answer_values)


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


def load(file, dtype, batch, rows, cols):
    global entries, tensor, operator
    shape = [int(rows), int(cols)] if batch == "1" else [int(batch), int(rows), int(cols)]
    entries = np.fromfile(file, dtype=dtype).reshape(shape)
    if torch is not None:
        tensor = torch.from_numpy(entries).requires_grad_(True)
    if slepc4py is not None and dtype == "float64" and batch == "1":
        operator = PETSc.Mat().createDense(shape, array=entries, comm=PETSc.COMM_SELF)
        operator.assemble()
    return {}


def clock(name, loops):
    call = calls[name][0]
    count = int(loops)
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return {"ms": (time.perf_counter() - begin) * 1000}


def result(name, file):
    found, arrays = calls[name][1]()
    with open(file, "wb") as out:
        for values in arrays.values():
            out.write(np.ascontiguousarray(values).tobytes())
    # A complex number is two numbers in the file.
    found["parts"] = [[key, int(values.size) * (2 if np.iscomplexobj(values) else 1)] for key, values in arrays.items()]
    return found


def release():
    global entries, tensor, operator
    entries = tensor = operator = None
    return {}


actions = {"load": load, "time": clock, "answer": result, "release": release}
versions = {"python": sys.version.split()[0], "numpy": np.__version__, "blas": blas()}
if torch is not None:
    versions["torch"] = torch.__version__
if scipy is not None:
    versions["scipy"] = scipy.__version__
if slepc4py is not None:
    versions["slepc4py"] = slepc4py.__version__
answer({"versions": versions, "names": list(calls)})

# As allocator.ts says.
held = bytearray(31 << 20)
del held

for line in sys.stdin:
    what, *words = line.rstrip("\n").split("\t")
    try:
        answer(actions[what](*words))
    except Exception as error:
        answer({"error": "%s: %s" % (type(error).__name__, error)})
