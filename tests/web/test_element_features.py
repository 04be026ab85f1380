"""What `<gan-generator>` offers an author: attributes, names, slots, forms, methods, events."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from elements import MANIFEST, change, make
from playwright.sync_api import Error
from watched import Watched

pytestmark = pytest.mark.web

LIBRARY = "await import('/sub/site/lib/gan-generator.js');"

# Attribute, value of the property, text of the attribute, value after null.
ATTRIBUTES = [
    ("src", "a.json", "a.json", ""),
    ("seed", 7, "7", 0),
    ("label", 3, "3", None),
    ("psi", 0.5, "0.5", None),
    ("cutoff", 4, "4", None),
    ("noise", "none", "none", None),
    ("runtime", "tfjs-cpu", "tfjs-cpu", None),
    ("width", 64, "64", None),
    ("alt", "A three", "A three", None),
    ("loading", "lazy", "lazy", "eager"),
    ("poster", "p.webp", "p.webp", None),
    ("name", "avatar", "avatar", ""),
    ("disabled", True, "", False),
]


def test_every_attribute_is_a_property(blank: Watched) -> None:
    found = blank.page.evaluate(
        f"""async (attributes) => {{
          {LIBRARY}
          const element = document.createElement('gan-generator');
          const seen = attributes.map(([name, value]) => {{
            const before = element[name];
            element[name] = value;
            const text = element.getAttribute(name);
            const now = element[name];
            element[name] = null;
            return [before, text, now, element[name], element.hasAttribute(name)];
          }});
          return {{ seen, observed: element.constructor.observedAttributes }};
        }}""",
        ATTRIBUTES,
    )
    assert sorted(found["observed"]) == sorted(name for name, *_ in ATTRIBUTES)
    for (name, value, text, unset), seen in zip(ATTRIBUTES, found["seen"], strict=True):
        read = str(value) if name == "label" else value
        assert seen == [unset, text, read, unset, False], name


def test_what_a_screen_reader_gets(blank: Watched) -> None:
    make(blank.page, label=3, runtime="tfjs-cpu")
    canvas = "element.shadowRoot.querySelector('canvas')"
    named = f"[{canvas}.role, {canvas}.ariaLabel, {canvas}.ariaBusy]"
    busy = blank.page.evaluate(f"async () => {{ element.src = '{MANIFEST}'; await null; await null; return {named}; }}")
    assert busy == ["img", "A picture of seed 0, not drawn yet", "true"]
    change(blank.page, seed=1)
    assert blank.page.evaluate(named) == ["img", "digits, class 3, seed 1", None]
    blank.page.evaluate("element.alt = 'A handwritten three'")
    assert blank.page.get_by_role("img", name="A handwritten three").count() == 1
    blank.page.evaluate("element.alt = ''")
    assert blank.page.get_by_role("img").count() == 0
    said = blank.page.evaluate("[...element.shadowRoot.querySelectorAll('[role=status]')].map((e) => e.textContent)")
    assert said == ["", ""]


def test_poster_slots_and_style(blank: Watched) -> None:
    """A poster until the first picture, an error over it, a caption below; all of it to be styled from outside."""
    page = blank.page
    make(page, label=3, runtime="tfjs-cpu", width=100, poster="sub/site/models/digits/preview.webp")
    page.add_style_tag(
        content="""gan-generator { --gan-radius: 9px; --gan-background: rgb(1, 2, 3); --gan-image-rendering: pixelated }
          gan-generator::part(picture) { opacity: 0.5 }"""
    )
    page.evaluate("""() => {
      element.innerHTML = '<b slot="error">No luck</b><i slot="caption">A caption</i><u>Over it</u>';
    }""")
    poster = page.locator("gan-generator img")
    assert poster.is_visible()
    change(page, src=MANIFEST)
    assert not poster.is_visible()
    assert not page.get_by_text("No luck").is_visible()
    picture, caption = (page.locator(f"gan-generator {name}").bounding_box() for name in ("canvas", "i"))
    assert picture is not None and caption is not None
    assert (picture["width"], picture["height"]) == (100, 100)
    assert caption["y"] >= picture["y"] + 100
    assert page.get_by_text("Over it").is_visible()
    style = page.evaluate("""() => {
      const styles = ['.frame', 'canvas'].map((name) => getComputedStyle(element.shadowRoot.querySelector(name)));
      return [styles[0].borderRadius, styles[0].backgroundColor, styles[1].imageRendering, styles[1].opacity];
    }""")
    assert style == ["9px", "rgb(1, 2, 3)", "pixelated", "0.5"]
    change(page, label="cat")
    assert page.get_by_text("No luck").is_visible()
    page.evaluate("element.querySelector('b').remove()")
    assert page.get_by_text("no class cat").is_visible()
    change(page, label=4)
    assert not page.get_by_text("no class cat").is_visible()
    page.evaluate("element.width = null")
    assert page.locator("gan-generator canvas").bounding_box()["width"] == 256  # type: ignore[index]


def test_in_a_form(blank: Watched) -> None:
    found = blank.page.evaluate(
        f"""async () => {{
          {LIBRARY}
          document.body.innerHTML = `<form><fieldset>
            <gan-generator name="avatar" seed="3" label="1"></gan-generator></fieldset></form>`;
          const form = document.querySelector('form');
          const element = document.querySelector('gan-generator');
          const sent = () => [...new FormData(form)];
          const seen = {{ first: sent(), own: element.form === form && form.elements.avatar === element }};
          Object.assign(element, {{ seed: 4, psi: 0.5, label: null }});
          seen.changed = sent();
          document.querySelector('fieldset').disabled = true;
          seen.disabled = sent();
          document.querySelector('fieldset').disabled = false;
          form.reset();
          seen.reset = sent();
          element.value = 'seed=8&noise=none';
          seen.set = [element.seed, element.label, element.noise, element.value];
          element.formStateRestoreCallback('seed=9&label=a+b');
          seen.restored = sent();
          element.name = null;
          seen.nameless = sent();
          return seen;
        }}"""
    )
    assert found == {
        "first": [["avatar", "seed=3&label=1"]],
        "own": True,
        "changed": [["avatar", "seed=4&psi=0.5"]],
        "disabled": [],
        "reset": [["avatar", "seed=3&label=1"]],
        "set": [8, None, "none", "seed=8&noise=none"],
        "restored": [["avatar", "seed=9&label=a+b"]],
        "nameless": [],
    }


def test_generate_and_to_blob(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, runtime="tfjs-cpu", label=3)
    drawn = blank.page.evaluate(
        """async () => {
          const overtaken = element.generate({ seed: 1 }).catch((error) => error.name);
          await null; await null;
          const first = element.generate({ seed: 2 });
          const together = element.generate({ psi: 0.5 });
          const detail = await first;
          const same = detail === await together;
          const blobs = [element.toBlob(), element.toBlob('image/webp', 0.5)];
          const [png, webp] = await Promise.all(blobs);
          const { width } = await createImageBitmap(png);
          const stop = new AbortController();
          const stopped = element.generate({ seed: 3, signal: stop.signal }).catch((error) => error);
          stop.abort('enough');
          const wrong = await element.generate({ label: 'cat' }).catch((error) => [error.name, error.code]);
          element.label = 4;
          const mixing = element.mix(2, [0, 1]).catch((error) => error.name);
          element.seed = 6; // takes the place of the mix
          await mixing;
          await element.toBlob();
          const redrawn = events.at(-1).detail.label;
          const { pictures, ...settings } = detail;
          return { overtaken: await overtaken, same, settings, size: pictures.data.length, types: [png.type, webp.type],
                   width, stopped: await stopped, wrong, seed: element.seed, redrawn };
        }"""
    )
    assert drawn == {
        "overtaken": "AbortError",
        "same": True,
        "settings": {"seed": 2, "label": "3", "psi": 0.5, "cutoff": None, "noise": None, "mixed": None},
        "size": 32 * 32,
        "types": ["image/png", "image/webp"],
        "width": 32,
        "stopped": "enough",
        "wrong": ["GanExportError", "option"],
        "seed": 6,
        "redrawn": "4",
    }
    with pytest.raises(Error, match="src is missing"):
        blank.page.evaluate("element.src = ''; element.generate()")
    with pytest.raises(Error, match="append it first"):
        blank.page.evaluate("document.createElement('gan-generator').generate()")
    with pytest.raises(Error, match="there is no picture yet"):
        blank.page.evaluate("document.createElement('gan-generator').toBlob()")


def test_mix_is_the_toolboxs(blank: Watched) -> None:
    make(blank.page, src=MANIFEST, runtime="tfjs-cpu", label=3)
    mixed = blank.page.evaluate(
        """async () => {
          const { mixStyles } = await import('/sub/site/lib/index.js');
          const { pictures: plain } = await element.generate({ seed: 1 });
          const { pictures, mixed } = await element.mix(2, [2, 6]);
          const [base, donor] = await Promise.all(
            [1, 2].map((seed) => element.generator.latents({ seeds: [seed], label: 3 })));
          const expected = await element.generator.draw(mixStyles(base, donor, [2, 6]));
          const name = element.shadowRoot.querySelector('canvas').ariaLabel;
          const kinds = [plain, pictures, expected].map(({ data }) => [...data]);
          return { kinds, mixed, name, wrong: await element.mix(2, [6, 2]).catch((error) => error.code) };
        }"""
    )
    plain, drawn, expected = (np.array(kind, dtype=int) for kind in mixed["kinds"])
    assert (drawn == expected).all()
    assert np.abs(drawn - plain).max() > 10
    assert mixed["mixed"] == {"seed": 2, "layers": [2, 6]}
    assert mixed["name"] == "digits, class 3, seed 1 mixed with seed 2"
    assert mixed["wrong"] == "option"


WALK = """async (options) => {
  events.length = 0;
  await element.walk([1, 2, 3], options);
  const frames = events.filter((event) => event.type === 'frame').map((event) => event.detail);
  const ends = [frames[0], frames.at(-1)].map(({ pictures }) => [...pictures.data]);
  return { index: frames.map(({ index }) => index), counts: [...new Set(frames.map(({ count }) => count))], ends };
}"""


def test_walk(blank: Watched) -> None:
    page = blank.page
    make(page, src=MANIFEST, runtime="tfjs-cpu", label=3)
    first, last = (
        page.evaluate("async (seed) => [...(await element.generate({ seed })).pictures.data]", seed) for seed in (1, 3)
    )
    walked = page.evaluate(WALK, {"frames": 2, "seconds": 0.01})
    assert (walked["index"], walked["counts"]) == ([0, 1, 2, 3, 4], [5])
    assert walked["ends"] == [first, last]
    page.emulate_media(reduced_motion="reduce")
    still = page.evaluate(WALK, {"frames": 2, "loop": True})
    assert (still["index"], still["ends"]) == ([0], [last, last])
    page.emulate_media(reduced_motion="no-preference")
    looped = page.evaluate(
        """async () => {
          events.length = 0;
          const stop = new AbortController();
          const frames = () => events.filter((event) => event.type === 'frame').map((event) => event.detail.index);
          element.addEventListener('frame', () => frames().length === 9 && stop.abort('enough'));
          document.body.append(document.createElement('p'), element); // a move changes nothing
          const reason = await element.walk([1, 2], { frames: 2, seconds: 0.01, loop: true, signal: stop.signal })
            .catch((error) => error);
          const latents = await element.generator.latents({ seeds: [5], label: 3 });
          await element.walk(latents);
          return { reason, frames: frames(), errors: events.filter((event) => event.type === 'error').length };
        }"""
    )
    assert looped == {"reason": "enough", "frames": [0, 1, 2, 3, 0, 1, 2, 3, 0, 0], "errors": 0}


def test_a_preview_comes_before_the_picture(blank: Watched, staged_bundle: Path, site_folder: Path) -> None:
    shutil.copytree(staged_bundle, site_folder.parents[1] / "staged", dirs_exist_ok=True)
    make(blank.page, runtime="tfjs-wasm", label=1)
    drawn = change(blank.page, src="staged/ganexport.json")
    assert drawn.get("size") == [128, 128], drawn
    sizes = "events.filter(({ detail }) => detail?.pictures).map(({ type, detail }) => [type, detail.pictures.width])"
    assert blank.page.evaluate(sizes) == [["preview", 64], ["generate", 128]]


def test_it_tells_of_another_runtime(blank: Watched) -> None:
    blank.page.route("**/lib/ort_wasm-*.js", lambda route: route.abort())
    make(blank.page, runtime="ort-wasm", label=3)
    assert change(blank.page, src=MANIFEST)["seed"] == 0
    told = blank.page.evaluate("events.filter((event) => event.type === 'fallback').map((event) => event.detail)")
    assert told[0]["from"] == "ort-wasm"
    assert told[-1]["to"] == blank.page.evaluate("element.generator.runtime")
