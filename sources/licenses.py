"""What a licence lets a recipe do, by SPDX identifier.

Identifiers are compared whole, never by prefix: ``CC-BY-SA-4.0`` is not ``CC-BY-4.0`` (losing the share-alike term that way
is a known defect of other pipelines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

#: What a user does with the text. ``pretraining`` and ``finetuning`` stay inside; ``publishing`` redistributes the text.
Use = Literal["pretraining", "finetuning", "publishing", "commercial"]
USES: tuple[str, ...] = get_args(Use)

#: What a recipe is for, and the uses each purpose needs a licence to allow.
Purpose = Literal["research", "publish", "commercial"]
NEEDS: dict[str, tuple[Use, ...]] = {
    "research": ("pretraining",),
    "publish": ("pretraining", "publishing"),
    "commercial": ("pretraining", "commercial"),
}

ALL: frozenset[Use] = frozenset(USES)  # type: ignore[arg-type]
NONCOMMERCIAL: frozenset[Use] = ALL - {"commercial"}


@dataclass(frozen=True, slots=True)
class License:
    """Terms of one licence.

    :param allows: uses it permits.
    :param attribution: the author must be named.
    :param share_alike: what is made from it must carry the same licence.
    :param openness: rank for choosing which copy of a duplicate stays; higher is freer.
    """

    id: str
    allows: frozenset[Use]
    attribution: bool = False
    share_alike: bool = False
    openness: int = 0

    @property
    def noncommercial(self) -> bool:
        """Commercial use is not permitted."""
        return "commercial" not in self.allows


def _family(prefix: str, versions: tuple[str, ...], **terms) -> list[License]:
    return [License(f"{prefix}-{version}", **terms) for version in versions]


_CC = ("2.0", "2.5", "3.0", "4.0")
SPDX: dict[str, License] = {
    lic.id: lic
    for lic in [
        *(License(i, ALL, openness=6) for i in ("CC0-1.0", "PDDL-1.0", "Unlicense", "0BSD", "CC-PDM-1.0")),
        License("LicenseRef-public-domain-US", ALL, openness=6),
        *(
            License(i, ALL, attribution=True, openness=5)
            for i in ("MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "ODC-By-1.0", "PSF-2.0")
        ),
        *_family("CC-BY", _CC, allows=ALL, attribution=True, openness=5),
        *_family("CC-BY-SA", _CC, allows=ALL, attribution=True, share_alike=True, openness=4),
        License("ODbL-1.0", ALL, attribution=True, share_alike=True, openness=4),
        License("GFDL-1.3-or-later", ALL, attribution=True, share_alike=True, openness=4),
        *_family("CC-BY-NC", _CC, allows=NONCOMMERCIAL, attribution=True, openness=3),
        *_family("CC-BY-NC-SA", _CC, allows=NONCOMMERCIAL, attribution=True, share_alike=True, openness=2),
        # ND: a filtered, de-identified copy is an adaptation, so it may be used inside but never redistributed.
        *_family("CC-BY-ND", _CC, allows=frozenset({"pretraining", "finetuning"}), attribution=True, openness=1),
        *_family("CC-BY-NC-ND", _CC, allows=frozenset({"pretraining", "finetuning"}), attribution=True, openness=1),
    ]
}
