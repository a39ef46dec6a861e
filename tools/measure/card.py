#!/usr/bin/env python3
"""card.py WORK CONATUS CORPUS...: the model card of petit-spinoza, from what training and measuring left in WORK.
One CORPUS a phase of training (KIND:SEED:RECORDS ...); phase N is the folder run-N."""
import hashlib
import json
import math
import pathlib
import subprocess
import sys

NAME = "petit-spinoza"
CARD = """# {name}

A very small language model that plays a philosopher, Spinoza, in a school game in French. It ships with Conatus so that
one can try the program within a minute of cloning it, offline:

    conatus run petit-spinoza

**En français.** Un tout petit modèle de langue, entraîné par `conatus train` à partir de rien : il joue Spinoza dans le
Maïathon, le jeu où un élève de terminale dialogue avec le philosophe. Il tutoie, reformule ce que dit l'élève, apporte une
idée et pose une question ; il sait aussi noter un dialogue et écrire le message final. Il est fait pour essayer le
programme : il ne sait rien d'autre, n'a lu aucun livre de Spinoza et se trompe. Ne vous fiez pas à ce qu'il dit.

## What it is

| | |
|---|---|
| Family | Llama: {layers} layers, {embedding} wide, {heads} heads ({kv_heads} for keys and values), feed-forward {feed_forward} |
| Parameters | {parameters:,} |
| Vocabulary | {vocabulary} pieces (SentencePiece BPE with byte fallback), made from the corpus |
| Context | {context} tokens |
| Weights | {types}; {bytes:,} bytes |
| SHA-256 | `{sha256}` |
| Language | French |
| Licence | MIT, as the program |
| Date | {date} |

`persona.txt` is the system text that it was trained with (one of four wordings); the last line names the question.
Without a system message the template gives it that text, so that a chat can begin at once. `chat.jinja` is the template.

## Data

{records:,} records that `tools/corpus` wrote: a grammar of our own, no sentence is taken from elsewhere. They are games,
dialogues to grade, final messages, pupils' messages whose intent is asked for, and small talk. A part of the grammar
(questions, paraphrases, claims, names, things) is held out: training never sees it, and every figure below is measured
on texts that use it.

## Training

`conatus train`, version {version}, on {machine}.

{phases}

Losses are nats a token; "kept apart" is a small share of that phase's own records. Loss on the assistant's tokens of {unseen}
records of the held-out half, weights as shipped: {unseen_loss:.3f}.

## Evaluation

On the held-out half, by `maiathon-measure` (seed {measure_seed}). In the games the pupil says what he says there and the
model writes every reply (temperature 0.7, top-p 0.9); marks are greedy under a grammar. "Corpus" is what the corpus' own
replies reach by the same measure.

{table}

The intent that a reply shows is told by a program from its opening, its analogy or its contradiction; the first line says how
often that program is right. Rank correlation is Spearman's.{labelled}

## Limits

- It has seen one kind of text only. Outside the game (other subjects, other languages, long texts, code, facts) it is of no use.
- It repeats the turns of phrase of its corpus, may misread what a pupil writes, and at times says what makes no sense.
- What it says of Spinoza's philosophy is a simplification for a game, made by a grammar, not by a philosopher.
- Its marks follow a simple rubric on made-up dialogues; do not grade real pupils with it.
- It forgets what is more than {context} tokens back.

## How to make it again

    script/train-shipped-model

makes the corpus, the tokenizer, the model, these figures and this card; the same machine gives the same model. Processors
that round otherwise (bf16 products) give another one, as good.
"""
LABELLED = """

Five labelled dialogues that come from the game's first version (not in this repository), given / expected:

| dialogue | compréhension | coopération | progression |
|---|---|---|---|
{rows}"""


def read(path):
    return json.loads(path.read_text("utf-8"))


def number(key, value):
    if value is None or math.isnan(value):
        return ""
    if key.endswith("_ms"):
        return f"{value:.0f} ms"
    if key == "tokens_per_second":
        return f"{value:.0f}"
    if key.endswith(("_error", "_rank")) or key.startswith("avatar"):
        return f"{value:.2f}"
    return f"{100 * value:.1f} %"


def figure_row(key, f):
    target = f"{f['want']} {number(key, f['target'])}" if "want" in f else ""
    missed = "" if f.get("reached", True) else " **missed**"
    cells = [f["what"], f["n"], number(key, f.get("value")) + missed, target, number(key, f.get("corpus"))]
    return "| " + " | ".join(map(str, cells)) + " |"


def label_row(row):
    marks = [f"{row[m]:g} / {row['expected_' + m]:g}" for m in ("comprehension", "cooperation", "progression")]
    return "| " + " | ".join([row["id"], *marks]) + " |"


def phases(work, corpora):
    """A column a phase."""
    runs = [read(work / f"run-{i + 1}/run.json") for i in range(len(corpora))]
    train = [run["settings"]["train"] for run in runs]
    parts = [[part.split(":") for part in corpus.split()] for corpus in corpora]
    rows = {
        "": [f"phase {i + 1}" for i in range(len(runs))],
        "records, kind (seed)": ["; ".join(f"{int(n):,} `{kind}` ({seed})" for kind, seed, n in part) for part in parts],
        "learns": ["all of each record" if r["settings"]["loss_on_all"] else "the assistant's words" for r in runs],
        "steps": [f"{r['step']:,} of {t['batch']} rows of {t['context']} tokens" for r, t in zip(runs, train)],
        "tokens": [f"{r['tokens']:,}" for r in runs],
        "minutes": [f"{r['seconds'] / 60:.0f}" for r in runs],
        "highest rate; seed": [f"{t['lr']:g}; {t['seed']}" for t in train],
        "loss of the last batch": [f"{r['loss']:.3f}" for r in runs],
        "loss of what was kept apart": [f"{r['heldout_loss']:.3f}" if r["heldout_loss"] is not None else "" for r in runs],
    }
    lines = ["| " + " | ".join([name, *cells]) + " |" for name, cells in rows.items()]
    lines.insert(1, "|---" * (len(runs) + 1) + "|")
    return runs, "\n".join(lines), sum(int(n) for part in parts for _, _, n in part)


def main(work, conatus, *corpora):
    work = pathlib.Path(work)
    model = work / f"{NAME}.gguf"
    figures, unseen = read(work / "figures.json"), read(work / "unseen.json")
    runs, training, records = phases(work, corpora)
    facts = json.loads(subprocess.run([conatus, "inspect", str(model), "--json"], check=True, capture_output=True).stdout)
    rows = ["| | of | model | target | corpus |", "|---|---|---|---|---|"]
    rows += [figure_row(key, f) for key, f in figures["figures"].items()]
    labels = "\n".join(map(label_row, figures["calibration"]))
    print(CARD.format(
        name=NAME, **{k: facts[k] for k in ("layers", "embedding", "heads", "kv_heads", "feed_forward", "parameters",
                                            "vocabulary", "context")},
        types=", ".join(f"{t['type']} ({t['tensors']} tensors)" for t in facts["types"]), bytes=model.stat().st_size,
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(), date=runs[-1]["ended"][:10], records=records,
        version=runs[-1]["version"], machine=runs[-1]["machine"].split(": ", 1)[-1], phases=training,
        unseen=unseen["models"][0]["records"], unseen_loss=unseen["models"][0]["loss"], measure_seed=figures["seed"],
        table="\n".join(rows), labelled=LABELLED.format(rows=labels) if labels else ""), end="")


if __name__ == "__main__":
    main(*sys.argv[1:])
