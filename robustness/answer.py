"""Answers for the rivals in Python, in the way of answer.ts: a line of JSON in, a line out; numbers through files."""

import json
import os
import sys
import warnings

folder = sys.argv[1]
answers = os.fdopen(os.dup(1), "w")
# Libraries print from C and Fortran as well.
silence = os.open(os.devnull, os.O_WRONLY)
os.dup2(silence, 1)
os.dup2(silence, 2)
# PROPACK has to be asked for up to SciPy 1.10.
os.environ["SCIPY_USE_PROPACK"] = "1"


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


versions = {}
try:
    import numpy as np

    versions["numpy"] = np.__version__
except ImportError:
    np = None
try:
    import scipy
    import scipy.linalg
    from scipy.sparse.linalg import svds

    versions["scipy"] = scipy.__version__
except ImportError:
    scipy = None
try:
    import torch

    versions["torch"] = torch.__version__
except ImportError:
    torch = None
answer({"versions": versions, "python": sys.version.split()[0]})


def by_svds(solver):
    def call(A):
        u, s, vt = svds(A, k=1, solver=solver, random_state=0)
        return s[0], np.outer(u[:, 0], vt[0])

    return call


def by_torch(dtype):
    def call(A):
        X = torch.tensor(A, dtype=dtype, requires_grad=True)
        value = torch.linalg.matrix_norm(X, 2)
        value.backward()
        return value.item(), X.grad.numpy()

    return call


def low_rank(A):
    torch.manual_seed(0)
    U, S, V = torch.svd_lowrank(torch.tensor(A), q=min(6, *A.shape))
    return S[0].item(), torch.outer(U[:, 0], V[:, 0]).numpy()


calls = {
    "numpy": lambda A: (np.linalg.norm(A, 2), None),
    "scipy": lambda A: (scipy.linalg.norm(A, 2), None),
    "arpack": by_svds("arpack"),
    "propack": by_svds("propack"),
    "lobpcg": by_svds("lobpcg"),
}
if torch is not None:
    calls["torch"] = by_torch(torch.float64)
    calls["torch32"] = by_torch(torch.float32)
    calls["lowrank"] = low_rank

for line in sys.stdin:
    request = json.loads(line)
    try:
        A = np.fromfile(folder + "/entries").reshape(request["rows"], request["cols"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value, gradient = calls[request["id"]](A)
        warned = any("accurac" in str(w.message) or "converge" in str(w.message) for w in caught)
        if gradient is not None:
            np.ascontiguousarray(gradient, dtype=np.float64).tofile(folder + "/gradient")
        answer({"value": repr(float(value)), "gradient": gradient is not None, "warned": warned})
    except BaseException as error:
        answer({"error": "%s: %s" % (type(error).__name__, error)})
