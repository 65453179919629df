"""The report of a diagnosis: one HTML file, a PDF, two languages, and folders that cannot be used."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from toothwise.cli import main
from toothwise.errors import InputError, MissingDependencyError
from toothwise.messages import language
from toothwise.reporting import drawing
from toothwise.reporting.document import Facts, Heading, Paragraph, Pictures, Table, Verdict
from toothwise.reporting.drawing import Picture
from toothwise.reporting.first_part import map_caption
from toothwise.reporting.html_page import to_html
from toothwise.reporting.pdf_pages import to_pdf
from toothwise.reporting.report import report_of_folder, write_report

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("fpdf")

KINDS = ("single", "sound", "several", "sequence", "quiet", "long_names", "fused")


@pytest.fixture(scope="module")
def document(runs):
    made = {}

    def later(make):
        figure = make()  # laid out where it is rendered, and most tests only look at words
        figure.set_dpi(220)
        return figure, 220

    def of(kind, code="en"):
        if (kind, code) not in made:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(drawing, "_laid_out", later)
                made[kind, code] = report_of_folder(runs / kind, code)
        return made[kind, code]

    return of


@pytest.fixture
def no_pixels(monkeypatch):
    """Pages without pictures, where only their words matter: drawing takes most of the time."""
    monkeypatch.setattr(Picture, "png", b"")
    monkeypatch.setattr(Picture, "narrow", b"")


def plain(page: str) -> str:
    page = re.sub(r"<(style|title)>.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r' alt="([^"]*)"', r">\1<", page)
    return html.unescape(re.sub(r"<[^>]+>", "\n", re.sub(r'src="data:[^"]+"', "", page))).replace("\u00a0", " ")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_the_first_screen_holds_verdict_map_and_timeline_in_this_order(document, runs):
    first = document("sequence").first
    found = json.loads((runs / "sequence" / "diagnosis.json").read_text())
    assert type(first[0]) is Verdict
    assert (found["colour"], found["tooth"]) == ("RED", 6)
    assert found["sentence"].startswith(first[0].text)
    assert (first[0].tone, first[0].label) == ("red", "RED: alarm · One damaged tooth")
    (pictures,) = [block for block in first if isinstance(block, Pictures)]
    assert "The map of" in pictures.pictures[0].caption
    assert "Alarm timeline" in pictures.pictures[1].caption
    headings = [block.text for block in document("sequence").rest if isinstance(block, Heading) and block.level == 2]
    assert headings == ["Evidence", "Why: the map of record 90", "Method", "Limits", "Data and versions"]
    assert document("quiet").first[0].tone == "green"


def test_single_maps_are_judged_one_by_one_and_the_strangest_is_explained(document):
    assert document("single").first[0].text.startswith("Driving tooth 4 stands out")
    assert document("sound").first[0].tone == "green"
    several = document("several")
    assert "of 3 maps show something" in several.first[0].text
    explained = [block for block in several.rest if isinstance(block, Heading) and block.text.startswith("Why")]
    assert 1 <= len(explained) <= 3


@pytest.mark.parametrize("code", ["en", pytest.param("ko", marks=pytest.mark.full)])
def test_of_fused_sensors_the_report_names_the_one_whose_map_is_explained(document, code, no_pixels):
    made = document("fused", code)
    of_one = {"en": "Sensor right, one of 2 fused.", "ko": "센서 right(융합한 센서 2개 중 하나)."}[code]
    (pictures,) = [block for block in made.first if isinstance(block, Pictures)]
    assert pictures.pictures[0].caption.endswith(of_one)
    page = plain(to_html(made))
    alone = {"en": "are of sensor right alone", "ko": "모두 센서 right 하나의 것입니다"}[code]
    assert alone in page[page.index(language(code).say("Evidence")) :]
    assert "left, right" in page
    assert "Sensor" not in plain(to_html(document("sequence")))


def test_the_page_needs_nothing_from_elsewhere(document, monkeypatch):
    coarse = drawing.png
    monkeypatch.setattr(drawing, "png", lambda figure, dpi: coarse(figure, dpi=30))
    page = to_html(document("sequence"))
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)
    assert page.count("<img") == page.count('src="data:image/png;base64,') >= 6
    assert page.index('class="verdict red"') < page.index("<img") < page.index("<h2>Evidence")
    assert '<html lang="en">' in page


def test_text_from_files_cannot_become_markup(runs, tmp_path, no_pixels):
    folder = tmp_path / "folder"
    shutil.copytree(runs / "sound", folder)
    data = json.loads((folder / "diagnosis.json").read_text())
    evil = "<script>alert(1)</script>"
    data["messages"]["verdict"] = [{"id": "{x}", "values": {"x": evil}}]
    (folder / "diagnosis.json").write_text(json.dumps(data))
    page = to_html(report_of_folder(folder, "en"))
    assert evil not in page
    assert html.escape(evil) in page


@pytest.mark.parametrize(
    "kind", [kind if kind == "sequence" else pytest.param(kind, marks=pytest.mark.full) for kind in KINDS]
)
def test_the_korean_report_has_no_english_sentence(document, kind, no_pixels):
    text = plain(to_html(document(kind, "ko")))
    for line in (line.strip() for line in text.splitlines()):
        # names of files, detectors, packages and options are no sentences
        rest = re.sub(r"\S*[._/=\[\]]\S*|SHA-256|CUSUM|--rebaseline", " ", line)
        assert not re.search(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}\W+[A-Za-z]{2,}", rest) or "numpy" in line, line
    assert len(re.findall(r"[가-힣]+", text)) > 150


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_screen_is_for_people_who_do_not_know_the_code(document, kind, no_pixels):
    made = document(kind)
    page = plain(to_html(replace(made, rest=[])))
    assert not re.search(r"e-detector|k in a row|blocks|episode|held out|along the line|p-value", page)
    assert ("Teeth count from 0" in page) == (kind not in ("sound", "quiet"))
    assert "bright = more vibration" in page


def test_no_fact_is_alone_on_a_line(document, no_pixels):
    (facts,) = [block for block in document("sequence").first if isinstance(block, Facts)]
    assert len(facts.items) == 7
    assert '<dl class="facts" style="--columns: 4">' in to_html(document("sequence"))
    assert '<dl class="facts" style="--columns: 2">' in to_html(document("quiet"))


@pytest.mark.parametrize(("teeth", "said"), [((3, 20), True), ((20, 3, 9), True), ((3, 9), False)])
def test_two_teeth_of_a_planet_half_a_revolution_apart_may_be_one(teeth, said):
    about = {"by_record": True, "axes": [{"labels": range(35)}, {"labels": range(8)}]}
    lines = [{"axis": 1, "gear": "gear", "tooth": tooth} for tooth in teeth]
    caption = map_caption({"lines": lines}, "record 5", about, language("en"))
    assert ("half a revolution apart" in caption) == said
    assert "half" not in map_caption({"lines": lines}, "record 5", about | {"by_record": False}, language("en"))


@pytest.mark.full
@pytest.mark.parametrize("code", ["en", "ko"])
@pytest.mark.parametrize("kind", ["single", "sequence", "long_names", "fused"])
def test_the_pdf_says_the_same_and_its_first_page_is_the_first_screen(document, kind, code):
    made = document(kind, code)
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(made))).pages
    assert 3 <= len(pages) <= 8
    first = squeezed(pages[0].extract_text())
    for block in made.first:
        if isinstance(block, Verdict):
            assert squeezed(block.label + block.text) in first
        if isinstance(block, Paragraph):
            assert squeezed(block.text) in first
        if isinstance(block, Pictures):
            assert all(squeezed(picture.caption) in first for picture in block.pictures)
    everything = squeezed("".join(page.extract_text() for page in pages))
    assert all(squeezed(block.text) in everything for block in made.rest if isinstance(block, Heading))


def test_the_pdf_embeds_its_fonts_and_only_heat_maps_are_rasters(document):
    made = document("single")
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(replace(made, rest=[])))).pages
    assert len(pages) == 1
    assert len(pages[0].images) == 2  # the heat map and its colour bar
    fonts = [font.get_object() for page in pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
        assert "Noto" in font["/BaseFont"]
    (pictures,) = [block for block in made.first if isinstance(block, Pictures)]
    wide = int.from_bytes(pictures.pictures[0].png[16:20], "big")
    assert wide / (180 / 25.4) >= 150  # pixels per inch at the full width of the text


def test_records_have_one_number_from_1_beside_their_own_name(document, runs, no_pixels):
    page = plain(to_html(document("long_names")))
    found = json.loads((runs / "long_names" / "diagnosis.json").read_text())
    since = found["since"]
    assert since["record"] == f"Gearbox_7_measured_{since['number'] - 1:04d}"
    assert f'going bad since about record {since["number"]} "{since["record"]}" (95 %: ' in page
    (facts,) = [block for block in document("long_names").first if isinstance(block, Facts)]
    number = found["since_interval"][0]["number"] - 1
    assert dict(facts.items)["Last record known good"] == f"{number}, Gearbox_7_measured_{number - 1:04d}"
    assert "The map of record 90:" in page


def test_both_files_are_written_beside_the_diagnosis(runs, tmp_path, monkeypatch, no_pixels):
    honest = to_pdf  # of the verdict alone: the whole PDF is in the long tests
    monkeypatch.setattr(
        "toothwise.reporting.report.to_pdf", lambda made: honest(replace(made, first=made.first[:1], rest=[]))
    )
    folder = tmp_path / "folder"
    shutil.copytree(runs / "sound", folder)
    assert [file.name for file in write_report(folder)] == ["report.html", "report.pdf"]
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_without_fpdf_the_html_is_written_and_a_pdf_asked_for_is_an_error(
    runs, tmp_path, monkeypatch, capsys, no_pixels
):
    monkeypatch.setattr("toothwise.reporting.report.can_write_pdf", lambda: False)
    with pytest.raises(MissingDependencyError, match="report"):
        write_report(runs / "sound", pdf=True, output=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert main(["report", str(runs / "sound"), "--language", "ko", "--output", str(tmp_path / "a")]) == 0
    assert "No PDF: " in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["report.ko.html"]


def test_folders_that_cannot_be_used_are_refused(runs, tmp_path):
    folder = tmp_path / "folder"
    with pytest.raises(InputError, match="no such folder"):
        write_report(folder)
    shutil.copytree(runs / "single", folder)
    data = json.loads((folder / "diagnosis.json").read_text())
    del data["each"][0]["p_values"]
    for content, message in (("{}", "not a diagnosis"), (json.dumps(data), "diagnosis.json")):
        (folder / "diagnosis.json").write_text(content)
        with pytest.raises(InputError, match=message):
            write_report(folder)
    with pytest.raises(InputError, match="language must be one of"):
        write_report(runs / "single", "fr")
    other = np.load(runs / "sequence" / "evidence.npz", allow_pickle=False)
    shutil.copy(runs / "single" / "diagnosis.json", folder)
    np.savez(folder / "evidence.npz", **other)
    with pytest.raises(InputError, match="belong together"):
        write_report(folder)
    (folder / "evidence.npz").write_bytes(b"")
    with pytest.raises(InputError, match="not readable as evidence"):
        write_report(folder)
    (folder / "evidence.npz").unlink()
    with pytest.raises(InputError, match="holds no"):
        write_report(folder)
    assert [p.name for p in folder.iterdir()] == ["diagnosis.json"]


@pytest.mark.full
def test_the_same_diagnosis_gives_the_same_page(runs, document):
    assert to_html(report_of_folder(runs / "sound", "en")) == to_html(document("sound"))


def test_growth_what_would_change_the_verdict_and_the_last_good_record_are_on_the_first_screen(document, runs):
    found = json.loads((runs / "sequence" / "diagnosis.json").read_text())
    first = document("sequence").first
    leads = {block.lead: block.text for block in first if isinstance(block, Paragraph)}
    assert found["growth"]["outlook"][1:] in leads["Outlook:"]
    assert "inspection" in leads["What would change this:"]
    (facts,) = [block for block in first if isinstance(block, Facts)]
    good = dict(facts.items)["Last record known good"]
    assert int(re.search(r"\d+", good)[0]) == found["since_interval"][0]["number"] - 1
    tables = [block for block in document("sequence").rest if isinstance(block, Table)]
    (episodes,) = [table for table in tables if table.head[0] == "First record"]
    assert episodes.rows[-1][1] == "still on"
    assert episodes.rows[-1][4] == "driving tooth 6"
