"""Colours for tests: the scale of the views as a browser mixes it, and what people with two kinds of cones see of it."""

import re

import numpy as np
from cutaway.views.page import STYLE

# Linear RGB to linear RGB. Machado, Oliveira, Fernandes: A physiologically-based model for simulation of
# color vision deficiency, IEEE TVCG 15 (2009) 1291-1298: its matrices for severity 1.0.
MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
# Vienot, Brettel, Mollon: Digital video colourmaps for checking the legibility of displays by dichromats, Color Research
# and Application 24 (1999) 243-252: linear RGB to the cones L, M, S, where one of them is made of the two others.
_CONES = np.asarray([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_LOST = {
    "protanopia": [[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]],
    "deuteranopia": [[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]],
}
VIENOT = {name: np.linalg.inv(_CONES) @ lost @ _CONES for name, lost in _LOST.items()}
# Ottosson: A perceptual color space for image processing (2020), https://bottosson.github.io/posts/oklab/
_TO_LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
_TO_LAB = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip


def ends(dark):
    """The variables --lo and --hi of the views: linear RGB [2, 3]."""
    found = [re.search(rf"--{name}:light-dark\((#\w+),(#\w+)\)", STYLE)[1 + dark] for name in ("lo", "hi")]
    digits = [code[1:] if len(code) == 7 else "".join(2 * d for d in code[1:]) for code in found]
    srgb = np.asarray([list(bytes.fromhex(code)) for code in digits]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def heat(dark, n=51):
    """`n` shares from 0 to 1 as `.heat` mixes them: OKLab [n, 3]."""
    low, high = np.cbrt(ends(dark) @ np.transpose(_TO_LMS)) @ np.transpose(_TO_LAB)
    return low + np.linspace(0, 1, n)[:, None] * (high - low)


def linear(oklab):
    """OKLab [n, 3] to linear RGB [n, 3]."""
    return (oklab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T


def lightness(rgb):
    """CIE L* of linear RGB [n, 3], 0 to 100: [n]."""
    y = np.clip(rgb, 0, 1) @ [0.2126, 0.7152, 0.0722]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)
