"""The page in a real browser: example, upload, wrong file, nothing chosen, recording, report, phone, keyboard."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toothwise import MapBuilder, Model, PlanetaryStage
from toothwise.simulate.faults import Fault
from toothwise.simulate.gearbox import GearboxConfig, simulate_record
from toothwise.simulate.speed import SpeedProfile
from toothwise.vibration.readers import write_record

pytestmark = pytest.mark.full
sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("fastapi")
TOKEN = "a-token-of-the-test"
WAIT = 60_000  # a busy machine


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no Chromium here ({str(error).splitlines()[0]})")
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(serving, building):
    with serving(building) as (_, found):
        yield found


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def page(request, browser, address):
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    found = context.new_page()
    found.set_default_timeout(WAIT)
    asked, wrong = [], []
    found.on("request", lambda r: asked.append(r.url))
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(address)
    found.get_by_text("Detector scan").wait_for()
    yield SimpleNamespace(page=found, asked=asked, address=address, width=width)
    assert wrong == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []  # nothing from elsewhere
    assert found.evaluate("document.documentElement.scrollWidth") <= width  # no sideways scrolling
    shots = os.environ.get("TOOTHWISE_SHOTS")
    if shots:
        found.screenshot(path=str(Path(shots) / f"{request.node.name}.png"), full_page=True)
    context.close()


def npz(path, rows):
    values = np.exp(0.2 * np.random.default_rng(5).standard_normal((len(rows), 9, 14))).astype(np.float32)
    for k, row in enumerate(rows):
        if row is not None:
            values[k, row] *= 2
    np.savez(path, values=values)
    return path


def colours(page, canvas):
    """How many different colours a canvas shows: an empty one has one."""
    return page.evaluate(
        "id => { const c = document.getElementById(id), pen = c.getContext('2d');"
        "const d = pen.getImageData(0, 0, c.width, c.height).data;"
        "const s = new Set(); for (let k = 0; k < d.length; k += 4) s.add(d[k] * 65536 + d[k + 1] * 256 + d[k + 2]);"
        "return s.size; }",
        canvas,
    )


def test_the_empty_page_says_what_to_do(page):
    assert "Nothing diagnosed yet" in page.page.inner_text("#empty")
    assert not page.page.is_visible("#found")
    page.page.click("#go")
    page.page.wait_for_selector("#error:not([hidden])")
    assert "Choose a file first" in page.page.inner_text("#error")
    assert page.page.evaluate("document.activeElement.id") == "file"


def test_the_example_shows_a_damaged_tooth_and_its_report(page, tmp_path):
    page.page.click("#example")
    page.page.wait_for_selector("#found:not([hidden])")
    assert page.page.inner_text("#verdict").startswith("Driving tooth 3 stands out")
    assert page.page.locator("#lines tbody tr").count() == 1
    assert min(colours(page.page, name) for name in ("map", "anomaly")) > 20
    assert min(colours(page.page, name) for name in ("rows", "columns")) > 2
    with page.page.expect_download() as download:
        page.page.click("#report")
    download.value.save_as(tmp_path / "report.html")
    assert "Driving tooth 3 stands out" in (tmp_path / "report.html").read_text()
    assert download.value.suggested_filename == "toothwise-report.html"


def test_a_file_of_maps_is_diagnosed_map_by_map(page, tmp_path):
    page.page.set_input_files("#file", npz(tmp_path / "week.npz", [None, 6]))
    assert page.page.is_visible("#kind")  # an npz may be either
    page.page.click("#go")
    page.page.wait_for_selector("#found:not([hidden])")
    assert page.page.inner_text("#record") == "week.npz[0]"
    page.page.select_option("#which", "1")
    assert page.page.inner_text("#verdict").startswith("Driving tooth 6 stands out")


def test_a_wrong_file_is_told_and_no_old_result_stays(page, tmp_path):
    page.page.click("#example")
    page.page.wait_for_selector("#found:not([hidden])")
    (tmp_path / "bad.npz").write_bytes(b"not a map at all")
    page.page.set_input_files("#file", tmp_path / "bad.npz")
    page.page.click("#go")
    page.page.wait_for_selector("#error:not([hidden])")
    assert "bad.npz: cannot be read" in page.page.inner_text("#error")
    assert not page.page.is_visible("#found")


def test_a_recording_may_need_what_its_file_does_not_say(page, tmp_path):
    (tmp_path / "r.wav").write_bytes(b"RIFF")
    assert not page.page.is_visible("#naming")
    page.page.set_input_files("#file", tmp_path / "r.wav")
    assert page.page.is_visible("#naming")
    page.page.click("#go")
    page.page.wait_for_selector("#error:not([hidden])")
    assert "r.wav" in page.page.inner_text("#error")


@pytest.fixture(scope="module")
def planetary(tmp_path_factory):
    """A model that was fitted on maps of a planetary stage, and a recording of a cracked planet tooth."""
    folder = tmp_path_factory.mktemp("planetary")
    stage = PlanetaryStage(sun=14, planet=13, ring=40, planets=3)
    config = GearboxConfig(gears=stage, speed=SpeedProfile(mean=20.0), periods=2, sampling_rate=8000.0, snr=20.0)
    builder = MapBuilder(stage)
    records = [simulate_record(config, seed=k)[0] for k in range(16)]
    Model.fit([builder.build(one) for one in records], detector="scan").save(folder / "model")
    today, _ = simulate_record(config, (Fault("crack", "planet", 5, 0.8),), seed=99)
    return folder / "model", write_record(today, folder / "today.npz")


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_planetary_stage_can_be_entered(planetary, serving, browser, width, height):
    model, recording = planetary
    with serving(model) as (_, address):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.get_by_text("Detector scan").wait_for()
        assert not page.is_visible("#gears")
        page.set_input_files("#file", recording)
        page.check("input[name=kind][value=record]")
        assert page.is_visible("#gears")
        page.check("input[name=gears][value=planetary]")
        for name in ("sun", "planet", "ring", "planets"):
            page.fill(f"#{name}", "")
        page.click("#go")
        page.wait_for_selector("#error:not([hidden])")
        assert page.evaluate("document.activeElement.id") == "sun"  # where something is missing
        for name, teeth in (("sun", 14), ("planet", 13), ("ring", 40), ("planets", 3)):  # with the keyboard alone
            assert page.evaluate("document.activeElement.id") == name
            page.keyboard.type(str(teeth))
            page.keyboard.press("Tab")
        page.click("#go")
        page.wait_for_selector("#found:not([hidden])")
        assert page.inner_text("#record") == "today.npz"
        assert "planet tooth" in page.inner_text("#about")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if shots := os.environ.get("TOOTHWISE_SHOTS"):
            page.screenshot(path=str(Path(shots) / f"planetary_{width}.png"), full_page=True)
        page.close()


def test_the_keyboard_is_enough(page):
    for _ in range(12):
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.id") == "example":
            break
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"  # where the focus is can be seen
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#found:not([hidden])")
    assert page.page.evaluate("document.activeElement.id") == "record"
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "report"


def test_a_protected_service_asks_for_its_token(serving, scan, browser):
    with serving(scan.exported, env={"TOOTHWISE_TOKEN": TOKEN}) as (_, address):
        page = browser.new_page()
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.wait_for_selector("#token-part:not([hidden])")
        page.fill("#token", TOKEN)
        page.click("#use-token")
        page.get_by_text("Detector scan").wait_for()
        page.click("#example")
        page.wait_for_selector("#found:not([hidden])")
        page.close()
