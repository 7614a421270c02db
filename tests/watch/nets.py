"""Small nets as texts, each in another style, and mistakes; `run(x, y, p)` gives outputs, loss and gradients."""

FUNCTIONS = """
def forward(x, p):
    z = x @ p["w1"] + p["b1"]
    h = np.tanh(z)
    out = h @ p["w2"] + p["b2"]
    return out, h

def softmax(out):
    e = np.exp(out - out.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

def run(x, y, p):
    out, h = forward(x, p)
    q = softmax(out)
    loss = -np.log((q * y).sum(axis=1)).mean()
    d = (q - y) / len(x)
    dw2 = h.T @ d
    db2 = d.sum(axis=0)
    dh = d @ p["w2"].T
    dz = dh * (1 - h**2)
    dw1 = x.T @ dz
    db1 = dz.sum(axis=0)
    dx = dz @ p["w1"].T
    return {"out": out, "loss": loss, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "x": dx}
"""

DICTS = """
def run(x, y, p):
    cache, grads = {"h0": x}, {}
    for k in (1, 2):
        cache[f"z{k}"] = cache[f"h{k - 1}"] @ p[f"w{k}"] + p[f"b{k}"]
        cache[f"h{k}"] = np.tanh(cache[f"z{k}"]) if k == 1 else cache[f"z{k}"]
    e = np.exp(cache["h2"] - cache["h2"].max(axis=1, keepdims=True))
    cache["q"] = e / e.sum(axis=1, keepdims=True)
    grads["loss"] = -(np.log(cache["q"]) * y).sum() / x.shape[0]
    d = (cache["q"] - y) / x.shape[0]
    for k in (2, 1):
        grads[f"w{k}"] = cache[f"h{k - 1}"].T @ d
        grads[f"b{k}"] = d.sum(axis=0)
        d = d @ p[f"w{k}"].T
        if k == 2:
            d = d * (1 - cache["h1"] ** 2)
    grads["x"], grads["out"] = d, cache["h2"]
    return grads
"""

OBJECTS = """
class Dense:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, d):
        self.dw = self.x.T @ d
        self.db = d.sum(axis=0)
        return d @ self.w.T

class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, d):
        return d * (1 - self.out**2)

class Loss:
    def forward(self, x, y):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.q, self.y = e / e.sum(axis=1, keepdims=True), y
        return -(y * np.log(self.q)).sum(axis=1).mean()

    def backward(self):
        return (self.q - self.y) / len(self.y)

def run(x, y, p):
    first, act, second, loss = Dense(p["w1"], p["b1"]), Tanh(), Dense(p["w2"], p["b2"]), Loss()
    out = x
    for layer in (first, act, second):
        out = layer.forward(out)
    value = loss.forward(out, y)
    d = loss.backward()
    for layer in (second, act, first):
        d = layer.backward(d)
    found = {"out": out, "loss": value, "x": d}
    for n, layer in ((1, first), (2, second)):
        found[f"w{n}"], found[f"b{n}"] = layer.dw, layer.db
    return found
"""

IN_PLACE = """
def run(x, y, p):
    h = x @ p["w1"]
    h += p["b1"]
    np.tanh(h, out=h)
    out = h @ p["w2"]
    out += p["b2"]
    q = out - out.max(axis=1, keepdims=True)
    np.exp(q, out=q)
    q /= q.sum(axis=1, keepdims=True)
    loss = -np.log(q[y == 1]).mean()
    d = q.copy()
    d -= y
    d /= len(x)
    dw2 = h.T @ d
    db2 = d.sum(axis=0)
    dh = d @ p["w2"].T
    dh *= 1 - h * h
    dw1 = x.T @ dh
    db1 = dh.sum(axis=0)
    dx = dh @ p["w1"].T
    return {"out": out, "loss": loss, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "x": dx}
"""

COLUMNS = """
def run(x, y, p):
    m = x.shape[1]
    z1 = p["w1"] @ x + p["b1"]
    a1 = np.tanh(z1)
    z2 = p["w2"] @ a1 + p["b2"]
    e = np.exp(z2 - z2.max(axis=0))
    a2 = e / e.sum(axis=0)
    cost = -np.sum(y * np.log(a2)) / m
    dz2 = a2 - y
    dw2 = dz2 @ a1.T / m
    db2 = dz2.sum(axis=1, keepdims=True) / m
    dz1 = (p["w2"].T @ dz2) * (1 - a1**2)
    dw1 = dz1 @ x.T / m
    db1 = dz1.sum(axis=1, keepdims=True) / m
    dx = p["w1"].T @ dz1 / m
    return {"out": z2, "loss": cost, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "x": dx}
"""

SAMPLES = """
def run(x, y, p):
    outs, loss, grads, dxs = [], 0.0, {name: np.zeros_like(w) for name, w in p.items()}, []
    for n in range(len(x)):
        h = np.tanh(x[n] @ p["w1"] + p["b1"])
        out = h @ p["w2"] + p["b2"]
        e = np.exp(out - out.max())
        q = e / e.sum()
        loss -= np.log(q[y[n].argmax()]) / len(x)
        d = (q - y[n]) / len(x)
        grads["w2"] += np.outer(h, d)
        grads["b2"] += d
        dz = (p["w2"] @ d) * (1 - h**2)
        grads["w1"] += np.outer(x[n], dz)
        grads["b1"] += dz
        dxs.append(p["w1"] @ dz)
        outs.append(out)
    return {"out": np.array(outs), "loss": loss, "x": np.array(dxs), **grads}
"""

VIEWS = """
def run(x, y, p):
    n = len(x)
    held = np.empty((n, p["w1"].shape[1] + p["w2"].shape[1]))
    h, out = held[:, : p["w1"].shape[1]], held[:, p["w1"].shape[1] :]
    h[:] = np.tanh(x @ p["w1"] + p["b1"])
    out[:] = h @ p["w2"] + p["b2"]
    q = np.empty_like(out)
    for k in range(n):
        e = np.exp(out[k] - out[k].max())
        q[k] = e / e.sum()
    loss = -np.log(q[y == 1]).sum() / n
    d = np.empty((n, q.shape[1]))
    d[...] = (q - y) / n
    flat = np.zeros(sum(w.size for w in p.values()))
    dw1 = flat[: p["w1"].size].reshape(p["w1"].shape)
    dw2 = flat[p["w1"].size : p["w1"].size + p["w2"].size].reshape(p["w2"].shape)
    dw2[:] = h.T @ d
    db2 = d.sum(axis=0)
    dz = (d @ p["w2"].T) * (1 - h**2)
    dw1[:] = x.T @ dz
    db1 = dz.sum(axis=0)
    dx = dz @ p["w1"].T
    return {"out": out, "loss": loss, "w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "x": dx}
"""

STEPS = """
def run(x, y, p):
    hs = {-1: np.zeros((x.shape[1], p["wh"].shape[0]))}
    for t in range(len(x)):
        z = x[t] @ p["wx"] + hs[t - 1] @ p["wh"] + p["b"]
        hs[t] = np.tanh(z)
    diff = hs[len(x) - 1] - y
    loss = (diff**2).mean()
    dwx, dwh, db = np.zeros_like(p["wx"]), np.zeros_like(p["wh"]), np.zeros_like(p["b"])
    dx = np.zeros_like(x)
    dh = 2 * diff / diff.size
    for t in reversed(range(len(x))):
        dz = dh * (1 - hs[t] ** 2)
        dwx += x[t].T @ dz
        dwh += hs[t - 1].T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ p["wx"].T
        dh = dz @ p["wh"].T
    return {"out": hs[len(x) - 1], "loss": loss, "wx": dwx, "wh": dwh, "b": db, "x": dx}
"""

TEXTS = {
    "functions": FUNCTIONS,
    "dicts": DICTS,
    "objects": OBJECTS,
    "in place": IN_PLACE,
    "columns": COLUMNS,
    "samples": SAMPLES,
    "views": VIEWS,
    "steps": STEPS,
}

MISTAKES: dict[str, tuple[tuple[str, str], ...]] = {
    "functions": (
        ("h = np.tanh(z)", "h = np.maximum(z, 0)"),
        ('p["w2"] + p["b2"]', 'p["w2"] - p["b2"]'),
        ("out.max(axis=1", "2 * out.max(axis=0"),
        ("e / e.sum(axis=1", "e / e.sum(axis=0"),
        ("(q - y) / len(x)", "q - y"),
        ("(q - y) / len(x)", "(y - q) / len(x)"),
        ("dw2 = h.T @ d", "dw2 = h.T @ (d * d)"),
        ("db2 = d.sum(axis=0)", "db2 = d.mean(axis=0)"),
        ('d @ p["w2"].T', 'd @ p["w2"].T / 3'),
        ('d @ p["w2"].T', 'd @ p["w2"].T + h'),
        ("(1 - h**2)", "(1 - h)"),
        ("(1 - h**2)", "(1 + h**2)"),
        ("dw1 = x.T @ dz", "dw1 = x.T @ dh"),
        ("db1 = dz.sum(axis=0)", "db1 = dh.sum(axis=0)"),
        ('dx = dz @ p["w1"].T', 'dx = dh @ p["w1"].T'),
    ),
    "dicts": (
        ("np.tanh(cache", "np.sin(cache"),
        ("keepdims=True)\n    grads", "keepdims=True) * 1.1\n    grads"),
        ("- y) / x.shape[0]", "- y) / x.shape[1]"),
        ('cache[f"h{k - 1}"].T @ d', '(cache[f"h{k - 1}"].T + 1) @ d'),
        ("d.sum(axis=0)", "d[1:].sum(axis=0)"),
        ('(1 - cache["h1"] ** 2)', 'cache["h1"]'),
    ),
    "objects": (
        ("self.x.T @ d", "self.x.T @ d / len(d)"),
        ("self.db = d.sum(axis=0)", "self.db = d[0]"),
        ("return d @ self.w.T", "return d @ np.abs(self.w.T)"),
        ("(1 - self.out**2)", "(1 - self.out)"),
        ("self.q - self.y) / len(self.y)", "self.q - self.y) / 2"),
        ("self.out = np.tanh(x)", "self.out = np.tanh(2 * x)"),
    ),
    "in place": (
        ("    np.tanh(h, out=h)\n", "    np.sin(h, out=h)\n"),
        ("out += p", "out -= p"),
        ("q /= q.sum(axis=1", "q /= q.max(axis=1"),
        ("d -= y", "d += y"),
        ("dh *= 1 - h * h", "dh *= 1 - h"),
        ("dw1 = x.T @ dh", "dw1 = x.T @ np.abs(dh)"),
    ),
    "columns": (
        ("a2 - y", "2 * (a2 - y)"),
        ("dz2 @ a1.T / m", "dz2 @ a1.T"),
        ("dz2.sum(axis=1, keepdims=True) / m", "dz2.sum(axis=1, keepdims=True) / m**2"),
        ("* (1 - a1**2)", "* (1 - z1**2)"),
        ("a1 = np.tanh(z1)", "a1 = np.tanh(z1) + 0.1"),
        ("dz1.sum(axis=1, keepdims=True) / m", "dz1.mean(axis=1, keepdims=True) / m"),
    ),
    "samples": (
        ("d = (q - y[n]) / len(x)", "d = q - y[n]"),
        ("np.outer(h, d)", "np.outer(h, d * q)"),
        ('grads["b2"] += d', 'grads["b2"] = d'),
        ("(1 - h**2)", "(1 - h)"),
        ('grads["b1"] += dz', 'grads["b1"] += 2 * dz'),
        ("e = np.exp(out - out.max())", "e = np.exp2(out - out.max())"),
    ),
    "views": (
        ("h[:] = np.tanh(x", "h[:] = np.sin(x"),
        ("q[k] = e / e.sum()", "q[k] = e / e.max()"),
        ("(q - y) / n", "(q + y) / n"),
        ("dw2[:] = h.T @ d", "dw2[:] = h.T @ q"),
        ("* (1 - h**2)", "* h"),
        ("dw1[:] = x.T @ dz", "dw1[:] = x.T @ dz**2"),
    ),
    "steps": (
        ("hs[t] = np.tanh(z)", "hs[t] = np.sin(z)"),
        ("2 * diff / diff.size", "2 * diff / len(diff)"),
        ("(1 - hs[t] ** 2)", "(1 - hs[t - 1] ** 2)"),
        ("dwh += hs[t - 1].T @ dz", "dwh += hs[t].T @ dz"),
        ("db += dz.sum(axis=0)", "db = dz.sum(axis=0)"),
        ("dx[t] = dz", "dx[t] = dh"),
        ('dh = dz @ p["wh"].T', 'dh = dz @ p["wh"]'),
    ),
}
