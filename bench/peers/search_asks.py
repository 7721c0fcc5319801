"""search_asks.py SAMPLER FOLDER: what bench/asks.lua does, by Optuna on its SQLite storage as it comes: ask, suggest, report, tell at
10,000 finished trials, timed in blocks on request (serve.py). The file with the 10,000 is made once, in FOLDER; what is measured works
on a copy. NSGA-II's trials have two values, and their generation."""
import math
import os
import random
import shutil
import sqlite3
import sys
import warnings

import optuna

from serve import serve

COUNT, POPULATION = 10000, 50
DISTRIBUTIONS = {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
                 "a": optuna.distributions.FloatDistribution(0, 1), "b": optuna.distributions.FloatDistribution(0, 1),
                 "c": optuna.distributions.FloatDistribution(0, 1), "d": optuna.distributions.IntDistribution(1, 9)}


def values(p, several):
    first = (math.log10(p["lr"]) + 2) ** 2 + (p["a"] - 0.3) ** 2 + p["b"] * p["c"]
    return [first, p["d"] + p["a"]] if several else [first]


def sampler(name):
    if name == "tpe":
        return optuna.samplers.TPESampler(multivariate=True, seed=1)
    kinds = {"cmaes": optuna.samplers.CmaEsSampler, "nsga2": optuna.samplers.NSGAIISampler, "random": optuna.samplers.RandomSampler}
    return kinds[name](seed=1)


def fill(path, several):
    """One trial by Optuna, whose rows are then copied with other numbers: by itself it would take half an hour."""
    study = optuna.create_study(storage="sqlite:///" + path, study_name="asks", directions=["minimize"] * (2 if several else 1))
    draw, db = random.Random(7), sqlite3.connect(path)
    kinds = {name: optuna.distributions.distribution_to_json(each) for name, each in DISTRIBUTIONS.items()}
    for number in range(COUNT):
        p = {"lr": 10 ** draw.uniform(-4, -1), "a": draw.random(), "b": draw.random(), "c": draw.random(), "d": draw.randint(1, 9)}
        found, trial, now = values(p, several), number + 1, "2000-01-01 00:00:00.000000"
        if number == 0:
            study.add_trial(optuna.trial.create_trial(
                values=found, params=p, distributions=DISTRIBUTIONS, intermediate_values={} if several else {1: found[0]},
                system_attrs={"nsga2:generation": 0} if several else {}))
            continue
        db.execute("INSERT INTO trials VALUES (?, ?, 1, 'COMPLETE', ?, ?)", (trial, number, now, now))
        db.executemany("INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)", [(trial, name, p[name], kinds[name]) for name in p])
        db.executemany("INSERT INTO trial_values VALUES (NULL, ?, ?, ?, 'FINITE')", [(trial, i, x) for i, x in enumerate(found)])
        if several:
            db.execute("INSERT INTO trial_system_attributes VALUES (NULL, ?, 'nsga2:generation', ?)", (trial, str(number // POPULATION)))
        else:
            db.execute("INSERT INTO trial_intermediate_values VALUES (NULL, ?, 1, ?, 'FINITE')", (trial, found[0]))
    db.commit()
    db.close()
    assert len(study.trials) == COUNT and study.trials[-1].params == p and study.trials[-1].values == found


def main(name, folder):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    several = name == "nsga2"
    made = "%s/optuna-%d.db" % (folder, 2 if several else 1)
    if not os.path.exists(made):
        os.makedirs(folder, exist_ok=True)
        if os.path.exists(made + ".made"):
            os.remove(made + ".made")
        fill(made + ".made", several)
        os.rename(made + ".made", made)
    copy = "%s/optuna-%s.db" % (folder, name)
    shutil.copyfile(made, copy)
    study = optuna.load_study(storage="sqlite:///" + copy, study_name="asks", sampler=sampler(name))

    def trial():
        asked = study.ask()
        params = {"lr": asked.suggest_float("lr", 1e-4, 1e-1, log=True), "a": asked.suggest_float("a", 0, 1),
                  "b": asked.suggest_float("b", 0, 1), "c": asked.suggest_float("c", 0, 1), "d": asked.suggest_int("d", 1, 9)}
        found = values(params, several)
        if not several:                     # which refuses steps where there are several objectives
            asked.report(found[0], 1)
        study.tell(asked, found)

    trial()
    serve("ready %d %d" % (COUNT, len(DISTRIBUTIONS)), trial)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
