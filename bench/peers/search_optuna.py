"""Optuna on the test functions of bench/search.lua: a line of JSON for each sampler, function and seed, with the best value after
50 and after 100 trials. usage: search_optuna.py [SAMPLER,...] [FUNCTION,...] [SEEDS]
The functions are written here again; each line holds a point and its value, which bench/search.lua compares with its own."""
import json
import math
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def sphere(x):
    return sum(v * v for v in x)


def rosenbrock(x):
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def rastrigin(x):
    return 10 * len(x) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in x)


def ackley(x):
    a = math.sqrt(sum(v * v for v in x) / len(x))
    b = sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return -20 * math.exp(-0.2 * a) - math.exp(b) + 20 + math.e


def branin(x):
    b, c, t = 5.1 / (4 * math.pi ** 2), 5 / math.pi, 1 / (8 * math.pi)
    return (x[1] - b * x[0] ** 2 + c * x[0] - 6) ** 2 + 10 * (1 - t) * math.cos(x[0]) + 10


A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
ALPHA = [1, 1.2, 3, 3.2]


def hartmann6(x):
    return -sum(ALPHA[i] * math.exp(-sum(A[i][j] * (x[j] - P[i][j] * 1e-4) ** 2 for j in range(6))) for i in range(4))


def styblinski(x):
    return sum(v ** 4 - 16 * v * v + 5 * v for v in x) / 2


def griewank(x):
    product = math.prod(math.cos(v / math.sqrt(i + 1)) for i, v in enumerate(x))
    return 1 + sum(v * v for v in x) / 4000 - product


KINDS = {"sgd": (-1, 4, 0), "adam": (-3, 3, 0.05), "rms": (-3.5, 5, 0.2)}


def mixed(trial):
    kind = trial.suggest_categorical("kind", list(KINDS))
    lr = trial.suggest_float("lr", 1e-5, 1, log=True)
    depth = trial.suggest_int("depth", 1, 6)
    at, deep, more = KINDS[kind]
    value = (math.log10(lr) - at) ** 2 + 0.1 * (depth - deep) ** 2 + more
    if kind == "sgd":
        value += 2 * (trial.suggest_float("momentum", 0, 0.99) - 0.9) ** 2
    return value


def table():
    """The errors of bench/table/results.jsonl by learning rate and the rest, and the learning rates."""
    rows = [json.loads(line) for line in open("bench/table/results.jsonl")]
    errors = {(r["lr"], r["weighting"], r["batch"], ",".join(map(str, r["widths"]))): 1 - r["val_top1"] for r in rows}
    rates = sorted({r["lr"] for r in rows})

    def look_up(trial):
        lr = trial.suggest_float("lr", 3e-4, 6e-2, log=True)
        rest = (trial.suggest_categorical("weighting", ["asc", "desc", "mix", "unif"]), trial.suggest_categorical("batch", [16, 32, 64]),
                trial.suggest_categorical("widths", ["8,8,8", "8,16,32", "16,32,32"]))
        return errors[(min(rates, key=lambda rate: abs(math.log(rate / lr))), *rest)]
    return look_up


CHOICES = ("mixed", "table")
BOXES = {"sphere": (sphere, [(-5, 10)] * 5), "rosenbrock": (rosenbrock, [(-5, 10)] * 5), "rastrigin": (rastrigin, [(-4, 5.12)] * 5),
         "ackley": (ackley, [(-20, 32.768)] * 5), "branin": (branin, [(-5, 10), (0, 15)]), "hartmann6": (hartmann6, [(0, 1)] * 6),
         "styblinski": (styblinski, [(-5, 5)] * 5), "griewank": (griewank, [(-300, 600)] * 5)}


def objective(name):
    if name == "mixed":
        return mixed
    if name == "table":
        return table()
    f, box = BOXES[name]
    return lambda trial: f([trial.suggest_float("x%d" % (i + 1), *ends) for i, ends in enumerate(box)])


def sampler(name, function, seed):
    if name == "tpe":
        return optuna.samplers.TPESampler(multivariate=True, group=function == "mixed", seed=seed)
    if name == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def main():
    names = sys.argv[1].split(",") if len(sys.argv) > 1 else ["tpe", "cmaes", "random"]
    functions = sys.argv[2].split(",") if len(sys.argv) > 2 else list(BOXES) + list(CHOICES)
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    for name in names:
        for function in functions:
            if name == "cmaes" and function in CHOICES:
                continue
            for seed in range(seeds):
                study = optuna.create_study(sampler=sampler(name, function, seed))
                study.optimize(objective(function), n_trials=100)
                values = [t.value for t in study.trials]
                print(json.dumps({"sampler": name, "function": function, "seed": seed, "best": [min(values[:50]), min(values)],
                                  "params": study.best_trial.params, "value": study.best_trial.value}), flush=True)


if __name__ == "__main__":
    import warnings
    warnings.simplefilter("ignore")
    main()
