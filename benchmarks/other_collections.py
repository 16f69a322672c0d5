"""How well motion is followed that comes from elsewhere: other performers, another studio, another skeleton.

    git clone https://github.com/BandaiNamcoResearchInc/Bandai-Namco-Research-Motiondataset
    python benchmarks/other_collections.py Bandai-Namco-Research-Motiondataset/dataset

Draws some BVH files of each kind (the first two words of their names), imports them, and lets one random camera watch
each. That collection may not be used commercially: nothing is trained on it, here it only judges.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path

from physhmr.cli.data import main as data_command
from physhmr.cli.evaluate import main as evaluate
from physhmr.errors import MotionFileError

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Draw, import, evaluate: the expert on the clips, both methods and kinematics on the views."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="BVH files, at any depth")
    parser.add_argument("--each", type=int, default=3, help="files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", type=Path, default=Path("out/motion/other_collections.npz"))
    parser.add_argument("--out", type=Path, default=RESULTS / "other-collections")
    given = parser.parse_args()
    data_command("import", given.library, files=tuple(drawn(given.folder, given.each, given.seed)))
    evaluate(clips=given.library, out=given.out)
    evaluate(clips=given.library, views=1, methods=("two_stage", "vision"), out=given.out)


def drawn(folder: Path, each: int, seed: int) -> list[Path]:
    """So many files of each kind, always the same ones."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.bvh")):
        kinds["_".join(path.stem.split("_")[:2])].append(path)
    if not kinds:
        raise MotionFileError(f"{folder} holds no .bvh")
    chosen = random.Random(seed)
    return [path for _, files in sorted(kinds.items()) for path in chosen.sample(files, min(each, len(files)))]


if __name__ == "__main__":
    main()
