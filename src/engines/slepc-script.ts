/**
 * The script that each SLEPc process runs, passed to `python3 -c`, so that it need not be on a shared disk. Its argument
 * is a JSON object. The first process writes JSON lines to standard output, with a prefix, since libraries may write there
 * too.
 *
 * σ₁ is found by thick-restart Lanczos bidiagonalization (Hernández, Román & Tomás, ETNA 31:68, 2008).
 * σ₂ is the largest singular value of A − σ₁u₁v₁ᵀ, from a random start of its own, not the second of the
 * same Krylov space: a space grown from one vector holds a multiple singular value once, so it would take
 * σ₃ for σ₂ at a tie. If it comes out above σ₁, the first search has missed the largest, and the two
 * change places.
 */
export const slepcScript = String.raw`
import glob, json, os, signal, sys, threading, time

request = json.loads(sys.argv[1])


def watch():
    """Kills this process when its parent is gone. A separate process, since a thread would be blocked by the solver."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    os.close(1)
    os.close(2)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # All but the first process have no input, and nothing to watch.
    if os.read(0, 1) == b"":
        os._exit(0)
    while os.read(0, 4096) != b"":
        pass
    if os.getppid() == parent:
        os.kill(parent, signal.SIGKILL)
    for path in request.get("leftovers", []):
        try:
            os.rmdir(path) if path.endswith("/") else os.unlink(path)
        except OSError:
            pass
    os._exit(0)


watcher = watch()
# All other output, even from C, goes to standard error.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(value):
    answers.write("spectral-norm:" + json.dumps(value) + "\n")
    answers.flush()


def end(status):
    answers.flush()
    os.kill(watcher, signal.SIGKILL)
    # Not sys.exit: the other processes would wait for this one to join them in MPI's end.
    if status:
        os._exit(status)


try:
    try:
        import slepc4py
    except ImportError:
        # Debian keeps it in a folder that its own .pth file does not always lead to.
        for name in ("petsc", "slepc"):
            sys.path += sorted(glob.glob("/usr/lib/%sdir/*/*-real/lib/python3/dist-packages" % name))
        import slepc4py
    import numpy as np

    slepc4py.init(["spectral-norm", "-no_signal_handler", "-viewer_binary_skip_info"])
    from petsc4py import PETSc
    from slepc4py import SLEPc
except Exception as error:
    answer({"missing": type(error).__name__ + ": " + str(error)})
    end(3)

world = PETSc.COMM_WORLD
first = world.rank == 0


def report(value):
    if first:
        answer(value)


class Deflated:
    """A without the pairs found so far, which counts its products and reports them every second."""

    def __init__(self, A):
        self.A = A
        self.pairs = []
        self.products = 0
        self.sigma = None
        self.told = time.monotonic()

    def count(self):
        self.products += 1
        if first and time.monotonic() - self.told > 1:
            self.told = time.monotonic()
            answer({"products": self.products, "sigma": self.sigma})

    def mult(self, mat, x, y):
        self.count()
        self.A.mult(x, y)
        for sigma, u, v in self.pairs:
            y.axpy(-sigma * v.dot(x), u)

    def multTranspose(self, mat, x, y):
        self.count()
        self.A.multTranspose(x, y)
        for sigma, u, v in self.pairs:
            y.axpy(-sigma * u.dot(x), v)

    multHermitian = multTranspose


def load():
    A = PETSc.Mat().create(world)
    A.setType("dense" if request["dense"] else "aij")
    A.load(PETSc.Viewer().createBinary(request["matrix"], "r", comm=world))
    return A


# Random numbers are drawn in blocks of this size, so that they do not depend on the number of processes.
BLOCK = 65536


def random_vector(x, stream):
    begin, end = x.getOwnershipRange()
    values = np.empty(end - begin)
    for block in range(begin // BLOCK, (end + BLOCK - 1) // BLOCK):
        drawn = np.random.Generator(np.random.PCG64([request["seed"], stream, block])).standard_normal(BLOCK)
        low, high = max(begin, block * BLOCK), min(end, (block + 1) * BLOCK)
        values[low - begin : high - begin] = drawn[low - block * BLOCK : high - block * BLOCK]
    x.setArray(values)
    return x


def largest(operator, shell, tolerance, absolute, most, start):
    """The largest triplet, to a residual of tolerance (times its own value unless absolute), and whether it is."""
    u, v = operator.createVecs(side="left"), operator.createVecs(side="right")
    from_products = shell.products
    if start is None:
        start = random_vector(u.duplicate(), 2 * len(shell.pairs)), random_vector(v.duplicate(), 2 * len(shell.pairs) + 1)
    if shell.pairs:
        operator.mult(start[1], u)
        if u.norm() <= 4e-15 * shell.pairs[0][0] * start[1].norm():
            # Of rank one: nothing is left but rounding. Any two vectors do.
            return (0.0, start[0].copy(), start[1].copy()), True
    m, n = operator.getSize()
    steps = max(1, min(m, n, 32, most // 2))
    ended = None

    def stop(svd, restarts, most_restarts, found, wanted):
        if found >= wanted:
            return SLEPc.SVD.ConvergedReason.CONVERGED_TOL
        if ended or shell.products - from_products >= most or restarts >= most_restarts:
            return SLEPc.SVD.ConvergedReason.DIVERGED_ITS
        return SLEPc.SVD.ConvergedReason.CONVERGED_ITERATING

    def follow(svd, restarts, found, values, errors):
        nonlocal ended
        if len(values) < steps and found == 0:
            ended = len(values)
        if len(values) > 0 and not shell.pairs:
            shell.sigma = float(values[0]) * scale

    def solve(start, whatever):
        svd = SLEPc.SVD().create(world)
        svd.setOperator(operator)
        svd.setType(SLEPc.SVD.Type.TRLANCZOS)
        svd.setImplicitTranspose(True)
        svd.setDimensions(1, steps)
        svd.setWhichSingularTriplets(SLEPc.SVD.Which.LARGEST)
        svd.setInitialSpaces([start[1]], [start[0]])
        if whatever:
            # Takes what there is after two restarts for converged, as nothing else hands it out.
            svd.setConvergenceTest(SLEPc.SVD.Conv.MAXIT)
            svd.setTolerances(tolerance, 2)
        else:
            svd.setConvergenceTest(SLEPc.SVD.Conv.ABS if absolute else SLEPc.SVD.Conv.REL)
            svd.setTolerances(tolerance, 2**30)
            svd.setStoppingTest(stop)
        svd.setMonitor(follow)
        svd.solve()
        return svd

    svd = solve(start, False)
    while ended and svd.getConverged() == 0 and steps > 1:
        # The space ended of itself, as it does where A has few singular values that are not 0, and SLEPc (3.18) goes
        # round in circles from there on. One that is not larger has no such end.
        if ended == 1:
            # Of rank one, beside which SLEPc's steps have nothing to find.
            operator.mult(start[1], u)
            u.normalize()
            operator.multTranspose(u, v)
            return (float(v.normalize()), u, v), True
        steps = ended
        ended = None
        svd = solve(start, False)
    reached = svd.getConverged() > 0
    if not reached:
        right, left = svd.getBV()
        best = v.duplicate(), u.duplicate()
        for basis, x, given in ((right, best[0], start[1]), (left, best[1], start[0])):
            column = basis.getColumn(0)
            column.copy(x) if column.getSize() == x.getSize() else given.copy(x)
            basis.restoreColumn(0, column)
        svd = solve((best[1], best[0]), True)
        if svd.getConverged() < 1:
            raise RuntimeError("SLEPc found no singular triplet")
    sigma = svd.getSingularTriplet(0, u, v)
    svd.destroy()
    return (float(sigma), u, v), reached


# The smallest relative residual that can be reached.
FLOOR = 1e-14
RTOL = request.get("rtol")
scale = 1.0


def solve(A):
    m, n = A.getSize()
    shell = Deflated(A)
    operator = PETSc.Mat().createPython(A.getSizes(), shell, comm=world)
    operator.setUp()
    most = 2 * request["steps"]
    tolerance = FLOOR if RTOL is None else min(max(0.1 * RTOL, FLOOR), 1e-3)
    top, reached = largest(operator, shell, tolerance, False, most, None)
    second, settled = None, True
    if min(m, n) > 1:
        # Absolute: beyond a matrix of rank one there is rounding alone, which has no digits of its own.
        loose = 1e-2 * top[0]
        start = None
        missed = 0
        while True:
            size = top[0]
            shell.pairs = [top]
            second, settled = largest(operator, shell, loose, True, most, start)
            gap = size - second[0]
            if gap < -1e-12 * size and missed < 3:
                # The first search has missed it: go on from there, and then look for the second anew.
                missed += 1
                shell.pairs = []
                top, reached = largest(operator, shell, tolerance, False, most, second[1:])
                loose, start = 1e-2 * top[0], None
                continue
            gap = max(gap, 0.0)
            if not settled or loose <= FLOOR * size or loose <= 0.25 * gap:
                break
            loose = max(FLOOR * size, min(0.1 * gap, 0.1 * loose))
            start = second[1:]
        apart(top, second)
        wanted = None if RTOL is None else 0.5 * RTOL * max(gap - loose, 0.5 * gap) / size
        if wanted is not None and reached and tolerance > max(wanted, FLOOR):
            shell.pairs = []
            tolerance = max(wanted, FLOOR)
            top, reached = largest(operator, shell, tolerance, False, most, top[1:])
    return top, second, reached and settled, tolerance, shell.products


def apart(top, second):
    """Orthogonalizes the second pair against the first; unit vectors."""
    for x, y in zip(top[1:], second[1:]):
        for _ in range(3):
            y.axpy(-x.dot(y) / x.dot(x), x)
            y.normalize()


def write(file, x):
    scatter, whole = PETSc.Scatter.toZero(x)
    scatter.scatter(x, whole, addv=PETSc.InsertMode.INSERT_VALUES, mode=PETSc.ScatterMode.FORWARD)
    if first:
        whole.getArray().astype("<f8").tofile(file)


def main():
    global scale
    if request["do"] == "hello":
        report(
            {
                "slepc": ".".join(map(str, SLEPc.Sys.getVersion())),
                "indexBytes": np.dtype(PETSc.IntType).itemsize,
                "scalar": np.dtype(PETSc.ScalarType).name,
                "processes": world.size,
            }
        )
        return
    A = load()
    report({"loaded": True})
    largest_sum = A.norm(PETSc.NormType.NORM_INFINITY)
    # A maximum passes a NaN by, a sum does not; but squares may overflow.
    if not np.isfinite(largest_sum) or np.isnan(A.norm(PETSc.NormType.NORM_FROBENIUS)):
        report({"notFinite": True})
        return
    if largest_sum == 0:
        report({"zero": True})
        return
    # Squares stay within the range of doubles.
    exponent = int(np.frexp(largest_sum)[1])
    if abs(exponent) > 300:
        # In two steps, since 2^-exponent alone may be out of range.
        A.scale(2.0 ** (-(exponent // 2)))
        A.scale(2.0 ** (-(exponent - exponent // 2)))
        scale = 2.0**min(exponent, 1023)
    top, second, reached, tolerance, products = solve(A)
    with open(request["vectors"] if first else os.devnull, "wb") as file:
        for pair in (top, second):
            if pair is not None:
                write(file, pair[1])
                write(file, pair[2])
    report({"pairs": 1 if second is None else 2, "reached": reached, "tolerance": tolerance, "products": products})


try:
    main()
    world.barrier()
except BaseException as error:
    answer({"error": " ".join((type(error).__name__ + ": " + str(error)).split())})
    end(1)
end(0)
`;
