"""Scenes: captioned pictures drawn by a program, so that every picture can be judged exactly.

A scene is 96x96 RGB with a caption of a fixed grammar:

    a <texture> <colour> <shape> [<relation> a <texture> <colour> <shape>]
    on a <background> <colour> background

Textures hang on the picture's lattice (period 8 px, two tokens of the tokenizer), not on the object:
a picture is then a sum of few local patterns, which a small model can learn well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 96
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 215),
    "yellow": (245, 215, 50),
    "purple": (140, 50, 170),
    "orange": (245, 135, 30),
    "white": (242, 242, 242),
    "black": (22, 22, 22),
}
SHAPES = ("circle", "square", "triangle", "ring", "cross")
TEXTURES = ("plain", "striped", "dotted", "checkered")
BACKGROUNDS = ("plain", "gradient", "noisy", "wavy")
RELATIONS = ("left of", "right of", "above", "below")
WORDS = tuple(
    dict.fromkeys(" ".join(("a", "on", "background", *COLOURS, *SHAPES, *TEXTURES, *BACKGROUNDS, *RELATIONS)).split())
)

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) + 0.5


@dataclass(frozen=True)
class SceneObject:
    """One shape; centre and radius in pixels."""

    texture: str
    colour: str
    shape: str
    x: float
    y: float
    radius: float

    def words(self) -> str:
        return f"a {self.texture} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Everything that a caption says, and the places it leaves open."""

    objects: tuple[SceneObject, ...]
    relation: str | None
    background: str
    background_colour: str
    seed: int

    def caption(self) -> str:
        first = self.objects[0].words()
        rest = f" {self.relation} {self.objects[1].words()}" if self.relation else ""
        return f"{first}{rest} on a {self.background} {self.background_colour} background"


def sample_scene(seed: int) -> Scene:
    """The scene of a seed. Two objects stand in opposite halves, as the relation says."""
    rng = np.random.default_rng((seed, 0))
    colours = [str(c) for c in rng.permutation(list(COLOURS))]

    def thing(colour: str, x: float, y: float, radius: float) -> SceneObject:
        return SceneObject(str(rng.choice(TEXTURES)), colour, str(rng.choice(SHAPES)), x, y, radius)

    background = str(rng.choice(BACKGROUNDS))
    if rng.random() < 0.4:
        x, y = 48 + rng.integers(-7, 8, size=2)
        return Scene((thing(colours[0], x, y, int(rng.integers(22, 33))),), None, background, colours[2], seed)
    relation = str(rng.choice(RELATIONS))
    along = np.array([24, 72]) + rng.integers(-3, 4, size=2)
    across = 48 + rng.integers(-12, 13, size=2)
    if relation in ("right of", "below"):
        along = along[::-1]
    sideways = relation in ("left of", "right of")
    places = [(a, c) if sideways else (c, a) for a, c in zip(along, across, strict=True)]
    objects = tuple(thing(colours[i], *places[i], int(rng.integers(16, 21))) for i in range(2))
    return Scene(objects, relation, background, colours[2], seed)


def _coverage(item: SceneObject) -> NDArray[np.float32]:
    """How much of each pixel the shape covers, 0..1, edges softened over one pixel."""
    dx, dy, r = _X - item.x, _Y - item.y, item.radius
    if item.shape == "circle":
        distance = np.hypot(dx, dy) - r
    elif item.shape == "square":
        distance = np.maximum(abs(dx), abs(dy)) - 0.87 * r
    elif item.shape == "triangle":
        distance = np.maximum(dy - 0.75 * r, 0.894 * abs(dx) - 0.447 * (dy + r))
    elif item.shape == "ring":
        distance = abs(np.hypot(dx, dy) - 0.76 * r) - 0.24 * r
    else:  # cross
        long, short = np.maximum(abs(dx), abs(dy)), np.minimum(abs(dx), abs(dy))
        distance = np.maximum(long - r, short - 0.34 * r)
    return np.clip(0.5 - distance, 0, 1).astype(np.float32)


def second_shade(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """The other colour of a texture: darker, or lighter for what is dark already."""
    return rgb * 0.5 if rgb.max() > 60 else rgb + 95


def texture_mask(texture: str, angle: int = 0) -> NDArray[np.float32]:
    """Where a texture shows its second shade, 0..1, over the whole picture."""
    if texture == "plain":
        return np.zeros_like(_X)
    if texture == "striped":
        along = (_X, _Y, _X + _Y)[angle]
        return (along % 8 >= 4).astype(np.float32)
    if texture == "checkered":
        return ((_X // 8 + _Y // 8) % 2).astype(np.float32)
    return np.clip(3.0 - np.hypot(_X % 8 - 4, _Y % 8 - 4), 0, 1).astype(np.float32)


def _background(scene: Scene, rng: np.random.Generator) -> NDArray[np.float32]:
    rgb = np.array(COLOURS[scene.background_colour], np.float32)
    other = second_shade(rgb)
    mix: NDArray[np.floating]
    if scene.background == "plain":
        mix = np.zeros_like(_X)
    elif scene.background == "gradient":
        direction = int(rng.integers(4))
        ramp = (_X if direction < 2 else _Y) / SIZE
        mix = ramp if direction % 2 else 1 - ramp
    elif scene.background == "wavy":
        mix = 0.4 + 0.4 * np.sin(2 * np.pi * (_Y + 3 * np.sin(2 * np.pi * _X / 24)) / 12)
    else:
        cells = np.kron(rng.choice([0.0, 0.35, 0.7], size=(12, 12)), np.ones((8, 8)))
        for axis in (0, 1):
            padded = np.take(cells, np.clip(np.arange(-2, SIZE + 2), 0, SIZE - 1), axis)
            cells = np.sum([np.take(padded, np.arange(k, SIZE + k), axis) for k in range(5)], axis=0) / 5
        mix = cells
    return rgb + (other - rgb) * mix[..., None].astype(np.float32)


def render(scene: Scene, grain: float = 2.0) -> NDArray[np.uint8]:
    """Draws a scene: uint8 [96, 96, 3]. `grain` is the deviation of the pixel noise, of 255."""
    rng = np.random.default_rng((scene.seed, 1))
    picture: NDArray[np.floating] = _background(scene, rng)
    for item in scene.objects:
        rgb = np.array(COLOURS[item.colour], np.float32)
        mask = texture_mask(item.texture, int(rng.integers(3)))[..., None]
        surface = rgb + (second_shade(rgb) - rgb) * mask
        cover = _coverage(item)[..., None]
        picture = picture * (1 - cover) + surface * cover
    picture += rng.normal(0, 1, picture.shape).astype(np.float32) * grain
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)
