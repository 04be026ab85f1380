"""Where `<gan-generator>` comes from and goes to: many at once, lazy, early, cloned, moved, taken away."""

from __future__ import annotations

import pytest
from elements import MANIFEST, change, make
from watched import Watched, forget_weights

pytestmark = pytest.mark.web

LIBRARY = "await import('/sub/site/lib/gan-generator.js');"
DRAWN = "(element) => new Promise((resolve) => element.addEventListener('generate', resolve, { once: true }))"


def weights(watched: Watched) -> list[str]:
    return [url for url in watched.requests if "/models/" in url and not url.endswith("ganexport.json")]


def test_forty_share_one_worker_and_one_download(blank: Watched) -> None:
    forget_weights(blank.page)
    drawn = blank.page.evaluate(
        f"""async (src) => {{
          {LIBRARY}
          const elements = Array.from({{ length: 40 }}, (_, seed) => {{
            const element = document.createElement('gan-generator');
            return Object.assign(element, {{ src, seed, label: seed % 10, runtime: 'tfjs-cpu', width: 64 }});
          }});
          const all = elements.map({DRAWN});
          document.body.append(...elements);
          const pictures = (await Promise.all(all)).map(({{ detail }}) => detail.pictures.data.join());
          return {{ pictures: new Set(pictures).size, generators: new Set(elements.map((one) => one.generator)).size }};
        }}""",
        MANIFEST,
    )
    assert drawn == {"pictures": 40, "generators": 1}
    assert len(blank.page.workers) == 1
    asked = weights(blank)
    assert asked and len(asked) == len(set(asked))
    assert len([url for url in blank.requests if url.endswith("ganexport.json")]) == 1
    assert blank.messages == []


def test_lazy_ones_wait_to_come_near(blank: Watched) -> None:
    page = blank.page
    page.evaluate("document.body.style.height = '9000px'")
    make(page, src=MANIFEST, label=3, runtime="tfjs-cpu", loading="lazy", style="position: absolute; top: 8000px")
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    assert weights(blank) == [] and page.evaluate("events.length") == 0
    page.evaluate(f"() => {{ const drawn = ({DRAWN})(element); element.scrollIntoView(); return drawn; }}")
    assert change(page, seed=2)["seed"] == 2
    others = page.evaluate(
        """async (src) => {
          const make = () => {
            const element = document.createElement('gan-generator');
            Object.assign(element, { src, label: 3, runtime: 'tfjs-cpu', loading: 'lazy' });
            element.style = 'position: absolute; top: 100px';
            document.body.append(element);
            return element;
          };
          const [asked, made_eager] = [make(), make()];
          const drawn = new Promise((resolve) => made_eager.addEventListener('generate', resolve));
          made_eager.loading = 'eager';
          await drawn;
          return (await asked.generate({ seed: 5 })).seed;
        }""",
        MANIFEST,
    )
    assert others == 5


def test_however_it_comes_into_the_page(blank: Watched) -> None:
    """Early; in a shadow root; as a clone; by a parser; in a frame; out of documents that nobody sees."""
    seeds = blank.page.evaluate(
        f"""async (src) => {{
          const rest = `src="${{src}}" label="3" runtime="tfjs-cpu"`;
          document.body.innerHTML = `<gan-generator ${{rest}} id="early"></gan-generator><div></div>`;
          const early = document.querySelector('#early');
          early.seed = 1;
          const late = Object.assign(document.createElement('gan-generator'), {{ src, label: 3, seed: 2 }});
          {LIBRARY}
          const drawn = {DRAWN};
          const seeds = [drawn(early)];
          document.body.append(late);
          seeds.push(drawn(late));
          const root = document.querySelector('div').attachShadow({{ mode: 'closed' }});
          root.innerHTML = `<gan-generator ${{rest}} seed="3"></gan-generator>`;
          seeds.push(drawn(root.firstChild));
          const clone = root.firstChild.cloneNode(true);
          clone.seed = 4;
          document.body.append(clone);
          seeds.push(drawn(clone));
          const details = (await Promise.all(seeds)).map(({{ detail }}) => detail.seed);
          const frame = document.body.appendChild(document.createElement('iframe'));
          frame.contentDocument.body.append(clone);
          details.push((await clone.generate({{ seed: 5 }})).seed, clone.getBoundingClientRect().width);
          const parsed = new DOMParser().parseFromString('', 'text/html').body;
          for (const unseen of [document.createElement('template').content, parsed]) {{
            unseen.append(clone);
            document.body.append(clone);
            details.push(clone.getBoundingClientRect().width);
          }}
          return details;
        }}""",
        MANIFEST,
    )
    assert seeds == [1, 2, 3, 4, 5, 256, 256, 256]
    assert blank.messages == []


def test_a_new_source_while_the_old_one_loads(blank: Watched) -> None:
    """What is out of date is given up; nothing of it is shown or told."""
    make(blank.page, label=3, runtime="tfjs-cpu")
    drawn = blank.page.evaluate(
        f"""async (src) => {{
          const first = element.generate({{ seed: 1 }}).catch((error) => error.name);
          element.src = src;
          await null; await null;
          element.src = `${{src}}?2`;
          const drawn = await element.generate({{ seed: 2 }});
          const gone = ({DRAWN})(element);
          element.seed = 3;
          element.remove();
          await Promise.resolve();
          document.body.append(element);
          const {{ detail }} = await gone;
          const types = events.map((event) => event.type).filter((type) => type !== 'progress');
          return {{ seeds: [drawn.seed, detail.seed], types, first: await first }};
        }}""",
        MANIFEST,
    )
    assert drawn["seeds"] == [2, 3]
    assert set(drawn["types"]) == {"load", "generate"}
    assert drawn["types"].count("generate") == 2


def test_one_that_is_taken_away_while_it_loads_says_nothing(blank: Watched) -> None:
    forget_weights(blank.page)
    make(blank.page, label=3, runtime="tfjs-cpu")
    blank.page.evaluate(
        """async (src) => {
          element.src = src;
          await new Promise((resolve) => element.addEventListener('progress', resolve, { once: true }));
          element.remove();
          events.length = 0;
        }""",
        MANIFEST,
    )
    again = blank.page.evaluate(
        f"async () => {{ const drawn = ({DRAWN})(element); document.body.append(element); await drawn; }}"
    )
    assert again is None
    assert blank.page.evaluate("events.filter((event) => event.type === 'error').length") == 0
