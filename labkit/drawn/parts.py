"""Eyes, brows, nose, mouth, ears, beard and glasses of a built-in face.

One function a part; each paints itself on a canvas.
"""

import numpy as np

from labkit.drawn.canvas import CIRCLE, band, closed, moved, smooth
from labkit.drawn.scene import SIDES, across


def ears(scene, canvas):
    """Both ears, where no scarf and no long or fringed hair covers them."""
    who = scene.who
    if who.hair_top == "scarf" or (who.hair_top != "bald" and who.hair_style in ("long", "fringe")):
        return
    sides = (who.face_width, 1), (-who.face_width, 1)
    shells = [scene.view.outline(smooth(_EAR, closed=True) * side, -0.25) for side in sides]
    canvas.paint(shells, scene.skin * (0.86, 0.76, 0.74), blur=0.008 * scene.unit)
    hollows = [scene.view.outline(smooth(_HOLLOW) * side, -0.25) for side in sides]
    canvas.multiply(hollows, 0.72, 0.02 * scene.unit, 0.05 * scene.unit)


_EAR = np.array([(1.02, -0.16), (1.14, -0.22), (1.22, -0.08), (1.19, 0.18), (1.12, 0.42), (1.03, 0.46)])
_HOLLOW = np.array([(1.08, -0.08), (1.15, -0.10), (1.16, 0.08), (1.10, 0.26)])


# Eyes


def brows(scene, skin):
    """Both eyebrows; AU1, AU2 and AU4 move their landmarks."""
    thick = 0.055 * scene.who.brow_thickness
    inner, middle, outer = (scene.pair(name) for name in ("brow_inner", "brow_middle", "brow_outer"))
    spine = [moved(inner, -0.03, 0), 0.5 * (inner + middle), moved(middle, 0.06, 0), moved(outer, 0.03, 0)]
    spine = np.stack(spine, 1)
    above = smooth(spine - thick * _BROW_ABOVE)
    below = smooth(spine + thick * _BROW_BELOW)
    shapes = scene.view.project(np.concatenate([above, below[:, ::-1]], 1) * SIDES, 0.05)
    skin.paint(shapes, 0.55 * scene.hair + 0.12 * scene.skin, 0.85, 0.018 * scene.unit)


_BROW_ABOVE = np.array([(0, 0.6), (0, 1.15), (0, 0.9), (0, 0)])
_BROW_BELOW = np.array([(0, 0.9), (0, 0.75), (0, 0.5), (0, 0)])


def lid_curves(scene):
    """Edges of the upper and lower lids and the fold above: each (2, n, 2) in pixels, inner corner first."""
    names = ("eye_inner", "eye_outer", "upper_lid", "lower_lid")
    inner, outer, top, bottom = (scene.pair(name) for name in names)
    above = np.stack([inner, inner, top, outer, outer], 1)
    below = np.stack([inner, inner, bottom, outer, outer], 1)
    above[:, [1, 3], 0] = below[:, [1, 3], 0] = 0.37, 0.65  # between corner and middle
    above[:, 1, 1] = 0.62 * top[:, 1] + 0.30 * inner[:, 1]
    above[:, 3, 1] = 0.58 * top[:, 1] + 0.38 * outer[:, 1]
    below[:, [1, 3], 1] = 0.745 * bottom[:, 1:]
    curves = smooth(np.stack([above, below, above + _FOLD])) * SIDES
    return scene.view.project(curves)


_FOLD = np.array([(0, -0.03), (0, -0.055), (0, -0.06), (0, -0.06), (0.02, -0.03)])


def eyes(scene, canvas):
    """White, iris, pupil, highlight, then lids and lashes."""
    unit, lashes = scene.unit, scene.who.lashes
    uppers, lowers, folds = lid_curves(scene)
    opening = canvas.mask(np.concatenate([uppers, lowers[:, ::-1]], 1), 0.005 * unit)
    gaze = np.array(scene.parameters.gaze) * (0.085, 0.04)
    centres = scene.view.project(np.array([(0.505, -0.012), (-0.505, -0.012)]) + gaze)[:, None]
    iris = np.array(scene.who.iris, float)
    light = scene.light * 0.07 * unit

    def discs(radius):
        return centres + radius * unit * CIRCLE

    canvas.paint(None, 0.72 * np.array([238, 232, 228]) + 0.2 * scene.skin, clip=opening)
    canvas.paint(discs(0.100), iris * 0.4, 1, 0.006 * unit, clip=opening)
    canvas.paint(discs(0.078), iris * 1.05, 0.9, 0.012 * unit, clip=opening)
    canvas.paint(discs(0.043), (12, 10, 10), clip=opening)
    shadow = np.concatenate([uppers, moved(uppers[:, ::-1], 0, 0.06 * unit)], 1)
    canvas.multiply(shadow, 0.60, 0.025 * unit, clip=opening)
    canvas.paint(discs(0.023) + light, (255, 255, 255), 0.95, clip=opening)
    canvas.multiply(np.concatenate([folds, lowers]), 0.70, 0.011 * unit, 0.025 * unit)
    width = (0.028 + 0.028 * lashes) * unit
    canvas.paint(uppers, scene.skin * 0.16, 0.75 + 0.25 * lashes, 0.008 * unit, width)


LENSES = {
    "round": (
        (0.50, -0.27), (0.76, -0.18), (0.85, 0.04), (0.74, 0.26),
        (0.50, 0.34), (0.26, 0.26), (0.15, 0.04), (0.24, -0.18),
    ),
    "square": (
        (0.50, -0.24), (0.84, -0.22), (0.90, -0.04), (0.80, 0.22),
        (0.50, 0.28), (0.22, 0.22), (0.13, -0.02), (0.18, -0.22),
    ),
    "dark": (
        (0.50, -0.26), (0.86, -0.24), (0.94, -0.02), (0.82, 0.26),
        (0.50, 0.32), (0.22, 0.24), (0.12, -0.02), (0.17, -0.24),
    ),
}  # fmt: skip
FRAMES = ((36, 30, 30), (124, 84, 46), (60, 62, 70), (110, 40, 40))


def glasses(scene, canvas):
    """Frames, lenses and the light on them, where the person wears any."""
    kind, unit = scene.who.glasses, scene.unit
    if kind == "none":
        return
    frame = FRAMES[scene.who.seed % len(FRAMES)]
    width = (0.032 + 0.008 * (scene.who.seed % 3)) * unit
    lenses = scene.both(LENSES[kind], 0.12, True)
    inside = canvas.mask(lenses)
    tint, opacity = ((26, 26, 30), 0.9) if kind == "dark" else ((220, 228, 236), 0.10)
    canvas.paint(None, tint, opacity, clip=inside)
    streaks = scene.both([(0.30, -0.16), (0.42, -0.18), (0.34, 0.06), (0.26, 0.06)], 0.12, True)
    canvas.paint(streaks, (255, 255, 255), 0.18, 0.02 * unit, clip=inside)
    rims = [closed(lens) for lens in lenses]
    bridge = scene.view.project(smooth([(-0.14, -0.06), (0, -0.11), (0.14, -0.06)]), 0.2)
    arms = [scene.view.project(np.array([(0.87 * side, -0.10), (1.12 * side, -0.08)])) for side in (1, -1)]
    canvas.multiply([moved(rim, 0, 0.045 * unit) for rim in rims], 0.82, 0.03 * unit, width)
    canvas.paint([*rims, bridge, *arms], frame, 0.95, width=width)


# Nose


_NOSTRIL = np.array([(-0.055, 0), (0, -0.028), (0.06, 0.005), (0, 0.02)])
_WING = np.array([(-0.02, -0.10), (0.02, -0.01), (-0.04, 0.06)])


def nose(scene, skin):
    """Nostrils and the groove around the wings; the nose itself is a hill of the landscape."""
    wings = scene.pair("nose_wing")[:, None]
    x, y = 0.48 * wings[..., 0], 0.715 * scene.who.nose_length + 0.5 * (wings[..., 1] - 0.66)
    holes = scene.view.project((smooth(_NOSTRIL, closed=True) + np.stack([x, y], -1)) * SIDES, 0.2)
    wings = scene.view.project((smooth(_WING) + wings) * SIDES, 0.08)
    skin.paint(holes, scene.skin * (0.30, 0.20, 0.18), 0.85, 0.014 * scene.unit)
    skin.multiply(wings, 0.74, 0.018 * scene.unit, 0.03 * scene.unit)


# Mouth


def lips(scene, skin):
    """Both lips around the mouth's opening."""
    unit, tint = scene.unit, scene.who.lip_colour
    top, upper, lower, bottom = (scene.view.project(curve, 0.12) for curve in scene.lip_curves)
    colour = scene.skin * (0.90 - 0.08 * tint, 0.66 - 0.22 * tint, 0.66 - 0.14 * tint)
    skin.multiply(band(bottom, moved(bottom, 0, 0.07 * unit)), 0.88, 0.04 * unit)
    skin.paint(band(top, upper), colour * 0.84, 0.9, 0.014 * unit)
    skin.paint(band(lower, bottom), colour, 0.9, 0.014 * unit)
    gloss = band((0.7 * lower + 0.3 * bottom)[8:-8], (0.3 * lower + 0.7 * bottom)[8:-8])
    skin.multiply(gloss, 1.16, 0.03 * unit)


def mouth(scene, canvas):
    """The line between the lips, or what shows between them: upper teeth, tongue, lower teeth."""
    unit, place = scene.unit, scene.view.project
    _, upper, lower, _ = scene.lip_curves
    gap = float((lower - upper)[:, 1].max())
    line = place(0.5 * (upper + lower), 0.12)
    if gap > 0.02:
        opening = canvas.mask(band(place(upper, 0.1), place(lower, 0.1)), 0.006 * unit)
        canvas.paint(None, (54, 20, 20), clip=opening)
        if gap > 0.2:
            tongue = place(band(moved(lower, 0, -0.14), moved(lower, 0, 0.1)), 0.05)
            canvas.paint(tongue, (158, 72, 72), 0.75, 0.03 * unit, clip=opening)
            edge = moved(lower * (0.7, 0), 0, float(lower[:, 1].max()) - 0.06)
            teeth = place(band(edge, moved(edge, 0, 0.3)), 0.05)
            canvas.paint(teeth, (190, 180, 166), 0.75, 0.012 * unit, clip=opening)
        upper_teeth(scene, canvas, upper, opening, gap)
    between = line if gap <= 0.02 else place(upper, 0.12)
    canvas.paint(between, scene.skin * (0.30, 0.16, 0.15), 0.75, 0.008 * unit, 0.024 * unit)
    canvas.multiply([line[end] + 0.035 * unit * CIRCLE for end in (0, -1)], 0.62, 0.025 * unit)


def upper_teeth(scene, canvas, upper, opening, gap):
    """A pale band below the upper lip, darker towards the corners; more of it when the lip is pulled up."""
    units, unit, place = scene.parameters.action_units, scene.unit, scene.view.project
    show = min(0.05 + 0.11 * units.get("AU12", 0) + 0.07 * units.get("AU10", 0), 0.15) + 0.02 * (gap > 0.2)
    middle = float(upper[len(upper) // 2][1])
    arch = 0.6 * np.minimum(upper[:, 1] - middle, 0)  # follows raised corners, but not a round opening
    edge = np.stack([upper[:, 0], middle + show + arch], 1)
    enamel = 0.74 * np.array([240, 233, 220]) + 0.2 * scene.skin  # teeth stand in the same shade as the face
    canvas.paint(place(band(moved(edge, 0, -0.5), edge), 0.08), enamel, 0.97, 0.008 * unit, clip=opening)
    sides = [place(upper[end] + 0.14 * CIRCLE, 0.08) for end in (2, -3)]
    canvas.multiply(sides, 0.66, 0.05 * unit, clip=opening)
    if unit > 30:
        gaps = [[(x, middle - 0.1), (x, middle + show)] for x in np.arange(-0.24, 0.25, 0.08)]
        canvas.multiply(place(gaps, 0.08), 0.86, 0.004 * unit, 0.012 * unit, clip=opening)


# Beard


def beard_shapes(scene):
    """The polygons in pixels that a kind of beard covers."""
    kind, project = scene.who.beard, scene.view.project
    (x, y), chin = scene.right["mouth_corner"], scene.right["chin"][1]
    top = scene.lip_curves[0]
    shapes = [] if kind == "none" else [project(band(moved(top, 0, -0.13), top), 0.12)]
    if kind in ("full", "stubble"):
        below_mouth = [(0, y + 0.22), (0.34, y + 0.18), (x + 0.07, y + 0.02)]
        cheek = [*below_mouth, (x + 0.26, 0.92), (0.93, 0.60), (1.06, 0.25)]
        jaw = [(0, chin + 0.1), (0.3, chin + 0.1), (0.6, chin + 0.05), (0.9, chin), (1.15, 1.3), (1.25, 0.8)]
        shapes.append(band(project(across(cheek)), project(across(jaw))))
    elif kind == "goatee":
        patch = [(0, 1.34), (0.30, 1.34), (x + 0.04, y + 0.02), (0.46, y + 0.1)]
        edge = [(0, chin + 0.05), (0.2, chin + 0.05), (0.40, 1.62), (0.48, y + 0.12)]
        shapes.append(band(project(across(patch), 0.1), project(across(edge), 0.1)))
    return shapes


def beard(scene, skin):
    """Stubble, moustache, goatee or full beard, where the person has one."""
    shapes, unit = beard_shapes(scene), scene.unit
    if not shapes:
        return
    stubble = scene.who.beard == "stubble"
    for shape in shapes:
        skin.paint(shape, 0.72 * scene.hair + 0.08 * scene.skin, 0.32 if stubble else 0.9, 0.035 * unit)
    if stubble:
        return
    random = scene.of_person(4)
    roots = np.stack([random.uniform(-1, 1, 160), random.uniform(0.7, 1.85, 160)], 1)
    tips = roots + random.normal((0, 0.12), 0.03, (160, 2)) + 0.06 * roots * (1, 0)
    strokes = scene.view.project(np.stack([roots, tips], 1), 0.05)
    inside = skin.mask(shapes, 0.02 * unit)
    skin.multiply(strokes[:80], 1.3, 0.012 * unit, 0.018 * unit, clip=inside)
    skin.multiply(strokes[80:], 0.66, 0.012 * unit, 0.018 * unit, clip=inside)
