"""What came of the studies, written into docs/studies.md from what they left.

    digitforge study one-digit
    digitforge study claims
    python benchmarks/study_passages.py [--one-digit runs/study-one-digit] [--claims runs/study-claims]

Every verdict with its figures and, in docs/images, pictures; of `one-digit` also the distances at the end.
A study whose folder is not there keeps the words that it has; what is told is kept in results/claims.json, with claims
told of before, and in results/one_digit.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from digitforge.files import write_whole
from digitforge.report.tables import Table
from digitforge.studies.claims import CLAIMS, DATA, NEEDS
from digitforge.studies.evidence import SEEDS
from digitforge.studies.finding import Claim
from digitforge.studies.growth import Growth, Moment
from digitforge.studies.one_digit_findings import Group
from digitforge.studies.one_digit_pages import growth_part
from passages import ROOT, table, write_passage
from recipe_speed import machine

PICTURES = ROOT / "docs" / "images"
ONE_DIGIT_KEPT = ROOT / "benchmarks" / "results" / "one_digit.json"
CLAIMS_KEPT = ROOT / "benchmarks" / "results" / "claims.json"
SPEEDS = ROOT / "benchmarks" / "results" / "recipe_speed.json"
MINUTE, HOUR = 60, 3600  # seconds
MNIST_COUNT = 60_000  # training images
WAITING = """What the others ask for, each by itself, and the hours of two cores at [these speeds](recipes.md);
`--only KEY` trains it. Together they are less, as they share trainings, and a run of `--runs` is not trained again."""

# What a reader of a verdict in the docs is to know besides.
NOTES = {
    "pretraining": """Rates and beta1 are ours, as document 001 names none, and the finding is one about these.
[How it came about](what-is-a-gan.md#what-people-say-about-gans), as far as it was seen.""",
}


def main() -> None:
    """Write what the study's results say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one-digit", type=Path, default=ROOT / "runs" / "study-one-digit")
    parser.add_argument("--claims", type=Path, default=ROOT / "runs" / "study-claims")
    options = parser.parse_args()
    (PICTURES / "claims").mkdir(exist_ok=True)
    for folder, tell in ((options.one_digit, tell_one_digit), (options.claims, tell_claims)):
        if (results := folder / "results.json").is_file():
            tell(json.loads(results.read_text()), folder)


def tell_claims(results: Mapping[str, Any], folder: Path) -> None:
    """The verdicts on the documents' claims, with what shows them: those of this study, and those kept from others."""
    if (settings := results["settings"])["quick_images"] or settings["data"] != DATA:
        raise SystemExit(f"{folder} holds a quick study, or one of other data than {DATA}: it settles nothing")
    kept = json.loads(CLAIMS_KEPT.read_text("utf-8")) if CLAIMS_KEPT.is_file() else {"findings": [], "runs": []}
    findings = {one["key"]: one for one in [*kept["findings"], *results["findings"]]}
    runs = {one["run"]: one for one in [*kept["runs"], *results["runs"]]}
    kept = {"findings": [findings[claim.key] for claim in CLAIMS if claim.key in findings], "runs": list(runs.values())}
    write_whole(CLAIMS_KEPT, f"{json.dumps(kept, indent=2, ensure_ascii=False)}\n".encode())
    for one in [one for finding in results["findings"] for one in finding["pictures"]]:
        write_whole(picture(one), (folder / one["file"]).read_bytes())
    parts = [f"{len(kept['findings'])} of {len(CLAIMS)} claims; {trained(kept)}."]
    for finding in kept["findings"]:
        parts += [f"#### `{finding['key']}`", f"*{finding['claim']}* {finding['sentence']}"]
        if note := NOTES.get(finding["key"]):
            parts.append(note)
        if shown := finding["pictures"]:
            pictures = [f"![{one['alt']}](images/claims/{picture(one).name})" for one in shown]
            parts.append(table([[one["caption"] for one in shown], pictures]))
    if waiting := [claim for claim in CLAIMS if claim.key not in findings]:
        parts += ["#### Not told yet", WAITING, table([["key", "asks for", "hours"], *map(cost, waiting)])]
    write_passage("docs/studies.md", "what claims found", "\n\n".join(parts))


def cost(claim: Claim) -> list[str]:
    """What a claim that was not told asks for, with three seeds each, and the hours that two cores take for it."""
    speeds = json.loads(SPEEDS.read_text("utf-8"))["recipes"]
    asked, seconds = [], 0.0
    for role in claim.roles:
        need = NEEDS[role]
        if not need.is_trained:
            asked.append(f"runs of `{need.recipe}` on SVHN's own files, which a study reads and never trains")
            continue
        recipe = need.asked(0)
        images = recipe.training.length(recipe.data.count or MNIST_COUNT)
        assert images is not None  # needs say epochs or images
        asked.append(f"{SEEDS} x {images:,} images of `{role}`")
        seconds += SEEDS * images / speeds[need.recipe]["images_per_second"]
    hours = f"{seconds / HOUR:.1f}" if seconds else "-"
    return [f"`{claim.key}`", ", ".join(asked) or "what digitforge does not measure", hours]


def picture(shown: Mapping[str, str]) -> Path:
    """Where a picture of a claim lies in the docs."""
    return PICTURES / "claims" / Path(shown["file"]).name


def tell_one_digit(results: Mapping[str, Any], _: Path) -> None:
    """How specialists fared beside models of all digits."""
    settings = results["settings"]
    parts = [
        f"{trained(results)}; {settings['seeds']} seeds, {settings['images']:,} images each but for the shorter ones."
    ]
    for recipe, kinds in results["curves"].items():
        growth = growth_part(group(recipe, kinds, settings["count"]))
        parts.append(f"#### {recipe}")
        for plate in growth.plates:
            picture = PICTURES / f"one-digit-{recipe}{plate.suffix}"
            write_whole(picture, plate.content)
            parts.append(f"![{plate.alt}](images/{picture.name})")
        findings = [one for one in results["findings"] if one["key"].startswith(f"{recipe}-")]
        parts += [*map(in_markdown, growth.tables), verdicts(findings)]
    write_whole(ONE_DIGIT_KEPT, f"{json.dumps(results, indent=2, ensure_ascii=False)}\n".encode())
    write_passage("docs/studies.md", "what one-digit found", "\n\n".join(parts))


def trained(results: Mapping[str, Any]) -> str:
    """How much was trained, and on what."""
    runs = results["runs"]
    minutes = sum(run["seconds"] for run in runs) / MINUTE
    return f"{len(runs)} trainings, {minutes:,.0f} minutes of steps of one thread each ({machine()})"


def group(recipe: str, kinds: Mapping[str, Any], count: int) -> Group:
    """A recipe's trainings, from the study's curves."""
    grown = [
        {
            digit: {int(seed): Growth(tuple(Moment(**one) for one in moments)) for seed, moments in by_seed.items()}
            for digit, by_seed in digits.items()
        }
        for digits in kinds.values()
    ]
    return Group(recipe, *grown, count)


def in_markdown(found: Table) -> str:
    """A table of the study's page."""
    head = [found.caption, *found.columns]
    return table([head, *([row.title, *(cell.text for cell in row.cells)] for row in found.rows)], are_numbers=True)


def verdicts(findings: Sequence[Mapping[str, Any]]) -> str:
    """Each claim with its verdict and what it rests on."""
    return table([["claim", "what came of it"], *([one["claim"], one["sentence"]] for one in findings)])


if __name__ == "__main__":
    main()
