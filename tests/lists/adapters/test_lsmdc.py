import pytest

from reelpack.core.errors import UserError
from reelpack.lists.adapters.lsmdc import read

STAMPS = "01.11.23.496\t01.11.25.853\t01.11.23.400\t01.11.26.000"
CLIP = "3011_BLIND_DATING_01.11.23.496-01.11.25.853"
OTHER = "1006_Slumdog_Millionaire_01.25.49.077-01.25.54.718"


def test_a_clip_per_file_with_all_its_sentences(tmp_path):
    lines = [
        f"{CLIP}\t{STAMPS}\tSOMEONE said \x93hi\x94.",
        f"{OTHER}\t{STAMPS}\tHe nods.",
        f"{CLIP}\t{STAMPS}\tShe leaves.",
    ]
    text = "\r\n".join(lines) + "\r\n"
    (tmp_path / "LSMDC16_annos_training.csv").write_bytes(text.encode("latin-1"))
    table = read(tmp_path, split="train", options={})
    assert table["clip_id"].tolist() == [
        f"3011_BLIND_DATING/{CLIP}",
        f"1006_Slumdog_Millionaire/{OTHER}",
    ]
    assert table["video"][0] == f"3011_BLIND_DATING/{CLIP}.avi"
    assert table["captions"][0] == ["SOMEONE said \u201chi\u201d.", "She leaves."]
    assert table["start"].tolist()[0] == pytest.approx(4283.4)
    assert table["end"].tolist()[0] == pytest.approx(4286.0)


def test_utf8_stays_utf8_and_quotes_are_text(tmp_path):
    (tmp_path / "LSMDC16_annos_val.csv").write_text(f'{CLIP}\t{STAMPS}\t"Caf\u00e9.\n')
    assert read(tmp_path, split="val", options={})["caption"].tolist() == ['"Caf\u00e9.']


def test_the_blind_test_has_no_sentences(tmp_path):
    (tmp_path / "LSMDC16_annos_blindtest.csv").write_text(f"{CLIP}\t{STAMPS}\n")
    assert read(tmp_path, split="blindtest", options={})["caption"].isna().all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{CLIP}\t{STAMPS}", "row 1: Expected 6 columns, got 5"),
        (f"clip\t{STAMPS}\tx", "row 1: 'clip' is not '<movie>_<start>-<end>'"),
        (f"{CLIP}\t1\t2\t3\t4\tx", "row 1: '3' is not a time stamp 'hh.mm.ss.mmm'"),
    ],
)
def test_malformed_rows(tmp_path, line, message):
    (tmp_path / "LSMDC16_annos_test.csv").write_text(line + "\n")
    with pytest.raises(UserError) as caught:
        read(tmp_path, split="test", options={})
    assert message in str(caught.value)
