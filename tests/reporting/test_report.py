"""``toothwise report``: one HTML file, a PDF, two languages, and runs that cannot be used."""

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
from toothwise.messages import language
from toothwise.reporting.document import Facts, Heading, Paragraph, Picture, Pictures, Verdict
from toothwise.reporting.html_page import to_html
from toothwise.reporting.map_part import map_caption
from toothwise.reporting.pdf_pages import to_pdf
from toothwise.reporting.report import report_of_folder

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("fpdf")

KINDS = ("single", "sound", "several", "sequence", "quiet", "long_names", "fused")


@pytest.fixture(scope="module")
def document(runs):
    made = {}

    def of(kind, code="en"):
        if (kind, code) not in made:
            made[kind, code] = report_of_folder(runs / kind, code)
        return made[kind, code]

    return of


def plain(page: str) -> str:
    page = re.sub(r"<(style|title)>.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r' alt="([^"]*)"', r">\1<", page)
    return html.unescape(re.sub(r"<[^>]+>", "\n", re.sub(r'src="data:[^"]+"', "", page))).replace("\u00a0", " ")


def test_the_first_screen_holds_verdict_map_and_timeline_in_this_order(document):
    first = document("sequence").first
    kinds = [type(block) for block in first]
    assert kinds[0] is Verdict
    assert first[0].text.startswith("Driving tooth 6 is going bad since about record ")
    assert (first[0].tone, first[0].label) == ("alarm", "ALARM · One damaged tooth")
    (pictures,) = [block for block in first if isinstance(block, Pictures)]
    assert ["The map of" in pictures.pictures[0].caption, "Alarm timeline" in pictures.pictures[1].caption] == [
        True
    ] * 2
    headings = [block.text for block in document("sequence").rest if isinstance(block, Heading) and block.level == 2]
    assert headings == ["Evidence", "Why: the map of record 89", "Method", "Limits", "Data and versions"]
    assert document("quiet").first[0].tone == "quiet"


def test_single_maps_are_judged_one_by_one_and_the_strangest_is_explained(document):
    assert document("single").first[0].text.startswith("Driving tooth 4 stands out: ")
    assert document("sound").first[0].text.startswith("Nothing stands out")
    several = document("several")
    assert "of 7 maps show something" in several.first[0].more
    explained = [block for block in several.rest if isinstance(block, Heading) and block.text.startswith("Why")]
    assert 1 <= len(explained) <= 5


@pytest.mark.full
@pytest.mark.parametrize("code", ["en", "ko"])
def test_of_fused_sensors_the_report_names_the_one_whose_map_is_explained(document, code):
    made = document("fused", code)
    told = {"en": "Sensor right, one of 2 fused.", "ko": "센서 right(융합한 센서 2개 중 하나)."}[code]
    (pictures,) = [block for block in made.first if isinstance(block, Pictures)]
    assert pictures.pictures[0].caption.endswith(told)
    page = plain(to_html(made))
    alone = {"en": "is of sensor right alone", "ko": "모두 센서 right 하나의 것입니다"}[code]
    assert alone in page[page.index(language(code).say("Evidence")) :]
    assert "left, right" in page
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(made))).pages
    assert re.sub(r"\s+", "", told) in re.sub(r"\s+", "", pages[0].extract_text())
    assert "Sensor" not in plain(to_html(document("sequence")))


def test_the_page_needs_nothing_from_elsewhere(document):
    page = to_html(document("sequence"))
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)
    assert page.count("<img") == page.count('src="data:image/png;base64,') >= 6
    assert page.index('class="verdict alarm"') < page.index("<img") < page.index("<h2>Evidence")
    assert '<html lang="en">' in page
    assert '<html lang="ko">' in to_html(document("sequence", "ko"))


def test_text_from_files_cannot_become_markup(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "sound", run)
    data = json.loads((run / "diagnosis.json").read_text())
    evil = "<script>alert(1)</script>"
    data["each"][0]["messages"]["verdict"] = [{"id": "{x}", "values": {"x": evil}}]
    (run / "diagnosis.json").write_text(json.dumps(data))
    page = to_html(report_of_folder(run, "en"))
    assert evil not in page
    assert html.escape(evil) in page


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_the_korean_report_has_no_english_sentence(document, kind):
    text = plain(to_html(document(kind, "ko")))
    for told in (line.strip() for line in text.splitlines()):
        # names of files, detectors, packages and options are no sentences
        rest = re.sub(r"\S*[._/=\[\]]\S*|SHA-256|CUSUM|--rebaseline", " ", told)
        assert not re.search(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}\W+[A-Za-z]{2,}", rest) or "numpy" in told, told
    assert len(re.findall(r"[가-힣]+", text)) > 150


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_screen_is_for_people_who_do_not_know_the_code(document, kind):
    made = document(kind)
    page = plain(to_html(replace(made, rest=[])))
    assert not re.search(r"e-detector|k in a row|blocks|episode|held out|along the line|p-value", page)
    assert ("Teeth count from 0" in page) == (kind not in ("sound", "quiet"))
    assert "bright = more vibration" in page
    assert ("their names stand at the end" in page) == (kind == "long_names")


def test_no_fact_stands_alone_on_a_line(document):
    (facts,) = [block for block in document("sequence").first if isinstance(block, Facts)]
    assert len(facts.items) == 6
    assert '<dl class="facts" style="--columns: 3">' in to_html(document("sequence"))
    assert '<dl class="facts" style="--columns: 2">' in to_html(document("quiet"))


@pytest.mark.parametrize(("teeth", "told"), [((3, 20), True), ((20, 3, 9), True), ((3, 9), False)])
def test_two_teeth_of_a_planet_half_a_revolution_apart_may_be_one(teeth, told):
    about = {"by_record": True, "axes": [{"labels": range(35)}, {"labels": range(8)}]}
    lines = [{"axis": 1, "gear": "gear", "tooth": tooth} for tooth in teeth]
    caption = map_caption({"lines": lines}, "record 5", about, language("en"))
    assert ("half a revolution apart" in caption) == told
    assert "half" not in map_caption({"lines": lines}, "record 5", about | {"by_record": False}, language("en"))


@pytest.mark.full
@pytest.mark.parametrize("code", ["en", "ko"])
@pytest.mark.parametrize("kind", ["single", "sequence", "long_names", "fused"])
def test_all_of_the_first_screen_is_on_the_first_page_of_the_pdf(document, kind, code):
    made = document(kind, code)
    first = re.sub(r"\s+", "", pypdf.PdfReader(io.BytesIO(to_pdf(made))).pages[0].extract_text())
    texts = [block.text for block in made.first if isinstance(block, Paragraph)]
    assert len(texts) == 2
    for text in texts:
        assert re.sub(r"\s+", "", text) in first


@pytest.mark.full
@pytest.mark.parametrize("code", ["en", "ko"])
@pytest.mark.parametrize("kind", ["single", "sequence"])
def test_the_pdf_reads_back_with_its_fonts_embedded(document, kind, code):
    made = document(kind, code)
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(made))).pages
    assert 3 <= len(pages) <= 8
    first = re.sub(r"\s+", "", pages[0].extract_text())
    for block in made.first:
        if isinstance(block, Verdict):
            assert re.sub(r"\s+", "", block.label + block.text) in first
    (pictures,) = [block for block in made.first if isinstance(block, Pictures)]
    for picture in pictures.pictures:  # all of the first screen is on the first page
        assert re.sub(r"\s+", "", picture.caption) in first
    assert len(pages[0].images) == 2  # the heat map and its colour bar: nothing else is a raster
    assert re.sub(r"\s+", "", language(code).say("How sure:")) in first
    everything = re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))
    for block in made.rest:
        if isinstance(block, Heading):
            assert re.sub(r"\s+", "", block.text) in everything
    fonts = [font.get_object() for page in pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
        assert "Noto" in font["/BaseFont"]


def test_pixels_are_enough_for_a_printed_page(document):
    made = document("single")
    blocks = [*made.first, *made.rest]
    pictures = [b for b in blocks if isinstance(b, Picture)] + [
        p for b in blocks if isinstance(b, Pictures) for p in b.pictures
    ]
    for picture in pictures:
        wide = int.from_bytes(picture.png[16:20], "big")
        assert wide / (180 / 25.4) >= 150  # pixels per inch at the full width of the text


@pytest.mark.full
def test_long_record_names_are_told_by_number_with_a_table_of_both(document):
    page = plain(to_html(document("long_names")))
    assert re.search(r"going bad since about record \d+ \(95 %: \d+ to \d+\)", page)
    assert "Gearbox_7_measured_0089" in page
    assert "Gearbox_7_measured_" not in page.split("Data and versions")[0]


def test_the_command_writes_both_files_beside_the_diagnosis_and_says_where(runs, tmp_path, capsys):
    folder = tmp_path / "folder"
    shutil.copytree(runs / "single", folder)
    assert main(["report", str(folder), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == [str(folder / "report.html"), str(folder / "report.pdf")]
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF-")
    words = ("--language", "ko", "--pdf", "false", "--output", str(tmp_path / "new"))
    assert main(["report", str(folder), *words]) == 0
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["report.ko.html"]


def test_without_fpdf_the_html_is_written_and_a_pdf_asked_for_is_an_error(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("toothwise.reporting.report.can_write_pdf", lambda: False)
    words = ["report", str(runs / "sound"), "--output", str(tmp_path / "a")]
    assert main([*words, "--pdf", "true"]) == 2
    assert "[report]" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert main(words) == 0
    assert "No PDF: " in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["report.html"]


def test_runs_that_cannot_be_used_are_one_line(runs, tmp_path, capsys):
    def complaint(*words):
        capsys.readouterr()
        assert main(["report", *map(str, words)]) == 2
        return capsys.readouterr().err

    assert "no such folder" in complaint(tmp_path / "none")
    assert "holds no evidence.npz" in complaint(runs / "scan")
    run = tmp_path / "run"
    shutil.copytree(runs / "single", run)
    (run / "diagnosis.json").write_text("{}")
    assert "not a diagnosis of this version" in complaint(run)
    data = json.loads((runs / "single" / "diagnosis.json").read_text())
    del data["each"][0]["p_values"]
    (run / "diagnosis.json").write_text(json.dumps(data))
    assert "diagnosis.json" in complaint(run)
    (run / "evidence.npz").write_bytes(b"")
    assert "not readable as evidence" in complaint(run)
    assert complaint(runs / "single", "--language", "fr").count("\n") == 1
    assert sorted(p.name for p in run.iterdir()) == ["diagnosis.json", "evidence.npz"]


def test_a_folder_is_replaced_whole_and_nothing_else_is(runs, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["diagnose", str(runs / "scan"), str(runs / "single.npz"), "--output"]
    assert main([*words, str(out)]) == 0
    (out / "report.html").write_text("of another day")
    assert main([*words, str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["diagnosis.json", "evidence.npz"]
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    assert main([*words, str(taken)]) == 2
    assert "holds something other than a diagnosis" in capsys.readouterr().err
    assert (taken / "thesis.txt").read_text() == "mine"
    assert main([*words, str(tmp_path / "x.txt")]) == 2
    assert "the suffix must be .json" in capsys.readouterr().err


def test_the_same_run_gives_the_same_page(runs, document):
    assert to_html(report_of_folder(runs / "single", "en")) == to_html(document("single"))


def test_evidence_that_the_json_does_not_know_is_refused(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "single", run)
    other = np.load(runs / "sequence" / "evidence.npz", allow_pickle=False)
    np.savez(run / "evidence.npz", **other)
    assert main(["report", str(run)]) == 2
