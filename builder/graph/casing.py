"""How Java changes the case of characters, and where it takes a capital sigma for a final one.

Printed by Java 17 (Unicode 13), all code points, `String.toLowerCase(Locale.ROOT)` and `toUpperCase`; a test asks Java
again. Newer Javas know a few scripts more (Vithkuqi, some letters of Glagolitic); Turkish, Azeri and Lithuanian locales
have rules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

FINAL_SIGMA = "\u03c2"
SIGMA = "\u03a3"


@cache
def lower_cases() -> Mapping[str, str]:
    """Every character that its lower case differs from → that; the one of \u0130 is two characters. SIGMA's is the medial one."""
    return {**_runs(_LOWER), "\u0130": "i\u0307"}


@cache
def upper_cases() -> Mapping[str, str]:
    """Every character that its upper case differs from → that, up to three characters."""
    special = (item.split(",") for item in _SPECIAL.split())
    return {**_runs(_UPPER), **{chr(int(c, 16)): "".join(chr(int(x, 16)) for x in to) for c, *to in special}}


@cache
def sigma_neighbours() -> Mapping[str, int]:
    """Character → what stands beside a capital sigma: 1 a letter with case, 2 the end of a word, 3 a sign or digit that
    may join two parts of one. Java asks a word-break table of the whole of Unicode; here are only ASCII, Latin-1, Greek
    and general punctuation: a sigma beside anything else is not decided.
    """
    classes = ((1, _CASED), (2, _BREAKS), (3, _JOINS))
    return {c: number for number, ranges in classes for c in _ranges(ranges)}


def lowered(text: str) -> str:
    """As `toLowerCase` has it: of a stop word, a param. Raises ValueError where a capital sigma is not decided."""
    table, kinds = lower_cases(), {**sigma_neighbours(), "": 2}
    found = []
    for at, character in enumerate(text):
        before, after, beyond = (kinds.get(text[i : i + 1] if i >= 0 else "", 0) for i in (at - 1, at + 1, at + 2))
        if character != SIGMA or after == 1 or before == 2 or (after == 3 and beyond == 1):
            found.append(table.get(character, character))
        elif before == 1 and (after == 2 or (after == 3 and beyond == 2)):
            found.append(FINAL_SIGMA)
        else:
            raise ValueError(f"the lower case of a capital sigma in {text!r} is not decided")
    return "".join(found)


def _runs(text: str) -> dict[str, str]:
    """`first,count,step,shift` or `code,shift`."""
    found: dict[str, str] = {}
    for item in text.split():
        first, *rest = map(int, item.split(","))
        count, step, shift = rest if len(rest) == 3 else (1, 1, rest[0])
        found |= {chr(c): chr(c + shift) for c in range(first, first + count * step, step)}
    return found


def _ranges(text: str) -> list[str]:
    """`code` or `first-last`, hexadecimal."""
    ends = [item.split("-") for item in text.split()]
    return [chr(c) for end in ends for c in range(int(end[0], 16), int(end[-1], 16) + 1)]


_LOWER = """
65,26,1,32 192,23,1,32 216,7,1,32 256,24,2,1 306,3,2,1 313,8,2,1 330,23,2,1 376,-121 377,3,2,1 385,210 386,2,2,1
390,206 391,1 393,2,1,205 395,1 398,79 399,202 400,203 401,1 403,205 404,207 406,211 407,209 408,1 412,211 413,213
415,214 416,3,2,1 422,218 423,1 425,218 428,1 430,218 431,1 433,2,1,217 435,2,2,1 439,219 440,1 444,1 452,2 453,1
455,2 456,1 458,2 459,9,2,1 478,9,2,1 497,2 498,2,2,1 502,-97 503,-56 504,20,2,1 544,-130 546,9,2,1 570,10795 571,1
573,-163 574,10792 577,1 579,-195 580,69 581,71 582,5,2,1 880,2,2,1 886,1 895,116 902,38 904,3,1,37 908,64
910,2,1,63 913,17,1,32 931,9,1,32 975,8 984,12,2,1 1012,-60 1015,1 1017,-7 1018,1 1021,3,1,-130 1024,16,1,80
1040,32,1,32 1120,17,2,1 1162,27,2,1 1216,15 1217,7,2,1 1232,48,2,1 1329,38,1,48 4256,38,1,7264 4295,7264 4301,7264
5024,80,1,38864 5104,6,1,8 7312,43,1,-3008 7357,3,1,-3008 7680,75,2,1 7838,-7615 7840,48,2,1 7944,8,1,-8 7960,6,1,-8
7976,8,1,-8 7992,8,1,-8 8008,6,1,-8 8025,4,2,-8 8040,8,1,-8 8072,8,1,-8 8088,8,1,-8 8104,8,1,-8 8120,2,1,-8
8122,2,1,-74 8124,-9 8136,4,1,-86 8140,-9 8152,2,1,-8 8154,2,1,-100 8168,2,1,-8 8170,2,1,-112 8172,-7 8184,2,1,-128
8186,2,1,-126 8188,-9 8486,-7517 8490,-8383 8491,-8262 8498,28 8544,16,1,16 8579,1 9398,26,1,26 11264,47,1,48
11360,1 11362,-10743 11363,-3814 11364,-10727 11367,3,2,1 11373,-10780 11374,-10749 11375,-10783 11376,-10782
11378,1 11381,1 11390,2,1,-10815 11392,50,2,1 11499,2,2,1 11506,1 42560,23,2,1 42624,14,2,1 42786,7,2,1 42802,31,2,1
42873,2,2,1 42877,-35332 42878,5,2,1 42891,1 42893,-42280 42896,2,2,1 42902,10,2,1 42922,-42308 42923,-42319
42924,-42315 42925,-42305 42926,-42308 42928,-42258 42929,-42282 42930,-42261 42931,928 42932,6,2,1 42946,1
42948,-48 42949,-42307 42950,-35384 42951,2,2,1 42997,1 65313,26,1,32 66560,40,1,40 66736,36,1,40 68736,51,1,64
71840,32,1,32 93760,32,1,32 125184,34,1,34
"""
_UPPER = """
97,26,1,-32 181,743 224,23,1,-32 248,7,1,-32 255,121 257,24,2,-1 305,-232 307,3,2,-1 314,8,2,-1 331,23,2,-1
378,3,2,-1 383,-300 384,195 387,2,2,-1 392,-1 396,-1 402,-1 405,97 409,-1 410,163 414,130 417,3,2,-1 424,-1 429,-1
432,-1 436,2,2,-1 441,-1 445,-1 447,56 453,-1 454,-2 456,-1 457,-2 459,-1 460,-2 462,8,2,-1 477,-79 479,9,2,-1
498,-1 499,-2 501,-1 505,20,2,-1 547,9,2,-1 572,-1 575,2,1,10815 578,-1 583,5,2,-1 592,10783 593,10780 594,10782
595,-210 596,-206 598,2,1,-205 601,-202 603,-203 604,42319 608,-205 609,42315 611,-207 613,42280 614,42308 616,-209
617,-211 618,42308 619,10743 620,42305 623,-211 625,10749 626,-213 629,-214 637,10727 640,-218 642,42307 643,-218
647,42282 648,-218 649,-69 650,2,1,-217 652,-71 658,-219 669,42261 670,42258 837,84 881,2,2,-1 887,-1 891,3,1,130
940,-38 941,3,1,-37 945,17,1,-32 962,-31 963,9,1,-32 972,-64 973,2,1,-63 976,-62 977,-57 981,-47 982,-54 983,-8
985,12,2,-1 1008,-86 1009,-80 1010,7 1011,-116 1013,-96 1016,-1 1019,-1 1072,32,1,-32 1104,16,1,-80 1121,17,2,-1
1163,27,2,-1 1218,7,2,-1 1231,-15 1233,48,2,-1 1377,38,1,-48 4304,43,1,3008 4349,3,1,3008 5112,6,1,-8 7296,-6254
7297,-6253 7298,-6244 7299,2,1,-6242 7301,-6243 7302,-6236 7303,-6181 7304,35266 7545,35332 7549,3814 7566,35384
7681,75,2,-1 7835,-59 7841,48,2,-1 7936,8,1,8 7952,6,1,8 7968,8,1,8 7984,8,1,8 8000,6,1,8 8017,4,2,8 8032,8,1,8
8048,2,1,74 8050,4,1,86 8054,2,1,100 8056,2,1,128 8058,2,1,112 8060,2,1,126 8112,2,1,8 8126,-7205 8144,2,1,8
8160,2,1,8 8165,7 8526,-28 8560,16,1,-16 8580,-1 9424,26,1,-26 11312,47,1,-48 11361,-1 11365,-10795 11366,-10792
11368,3,2,-1 11379,-1 11382,-1 11393,50,2,-1 11500,2,2,-1 11507,-1 11520,38,1,-7264 11559,-7264 11565,-7264
42561,23,2,-1 42625,14,2,-1 42787,7,2,-1 42803,31,2,-1 42874,2,2,-1 42879,5,2,-1 42892,-1 42897,2,2,-1 42900,48
42903,10,2,-1 42933,6,2,-1 42947,-1 42952,2,2,-1 42998,-1 43859,-928 43888,80,1,-38864 65345,26,1,-32 66600,40,1,-40
66776,36,1,-40 68800,51,1,-64 71872,32,1,-32 93792,32,1,-32 125218,34,1,-34
"""
_SPECIAL = """
df,53,53 149,2bc,4e 1f0,4a,30c 390,399,308,301 3b0,3a5,308,301 587,535,552 1e96,48,331 1e97,54,308 1e98,57,30a
1e99,59,30a 1e9a,41,2be 1f50,3a5,313 1f52,3a5,313,300 1f54,3a5,313,301 1f56,3a5,313,342 1f80,1f08,399 1f81,1f09,399
1f82,1f0a,399 1f83,1f0b,399 1f84,1f0c,399 1f85,1f0d,399 1f86,1f0e,399 1f87,1f0f,399 1f88,1f08,399 1f89,1f09,399
1f8a,1f0a,399 1f8b,1f0b,399 1f8c,1f0c,399 1f8d,1f0d,399 1f8e,1f0e,399 1f8f,1f0f,399 1f90,1f28,399 1f91,1f29,399
1f92,1f2a,399 1f93,1f2b,399 1f94,1f2c,399 1f95,1f2d,399 1f96,1f2e,399 1f97,1f2f,399 1f98,1f28,399 1f99,1f29,399
1f9a,1f2a,399 1f9b,1f2b,399 1f9c,1f2c,399 1f9d,1f2d,399 1f9e,1f2e,399 1f9f,1f2f,399 1fa0,1f68,399 1fa1,1f69,399
1fa2,1f6a,399 1fa3,1f6b,399 1fa4,1f6c,399 1fa5,1f6d,399 1fa6,1f6e,399 1fa7,1f6f,399 1fa8,1f68,399 1fa9,1f69,399
1faa,1f6a,399 1fab,1f6b,399 1fac,1f6c,399 1fad,1f6d,399 1fae,1f6e,399 1faf,1f6f,399 1fb2,1fba,399 1fb3,391,399
1fb4,386,399 1fb6,391,342 1fb7,391,342,399 1fbc,391,399 1fc2,1fca,399 1fc3,397,399 1fc4,389,399 1fc6,397,342
1fc7,397,342,399 1fcc,397,399 1fd2,399,308,300 1fd3,399,308,301 1fd6,399,342 1fd7,399,308,342 1fe2,3a5,308,300
1fe3,3a5,308,301 1fe4,3a1,313 1fe6,3a5,342 1fe7,3a5,308,342 1ff2,1ffa,399 1ff3,3a9,399 1ff4,38f,399 1ff6,3a9,342
1ff7,3a9,342,399 1ffc,3a9,399 fb00,46,46 fb01,46,49 fb02,46,4c fb03,46,46,49 fb04,46,46,4c fb05,53,54 fb06,53,54
fb13,544,546 fb14,544,535 fb15,544,53b fb16,54e,546 fb17,544,53d
"""
_CASED = """
41-5a 61-7a b5 c0-d6 d8-f6 f8-ff 370-373 376-377 37a-37d 37f 386 388-38a 38c 38e-3a1 3a3-3f5 3f7-3ff
1f00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4
1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc
"""
_BREAKS = """
1-21 23-26 28-2c 2f 3a-40 5b-5e 60 7b-a9 ab-ac ae-b1 b4 b6-b8 bb bf d7 f7 375 378-379 37e 380-385 387 38b 38d 3a2
3f6 1f16-1f17 1f1e-1f1f 1f46-1f47 1f4e-1f4f 1f58 1f5a 1f5c 1f5e 1f7e-1f7f 1fb5 1fbd 1fbf-1fc1 1fc5 1fcd-1fcf
1fd4-1fd5 1fdc-1fdf 1fed-1ff1 1ff5 1ffd-200a 2016-2026 2028-2029 202f-203e 2041-2053 2055-205f 2065 3000-3005
3008-300f
"""
_JOINS = """
22 27 2d-2e 30-39 5f ad b2-b3 b9 bc-be 2010-2015 2027 203f-2040 2054 3007
"""
