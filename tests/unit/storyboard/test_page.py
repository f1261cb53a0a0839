"""The printable shot list is one page that can do nothing."""

import html.parser

import hypothesis

from services.storyboard import files
from tests.unit.storyboard import contents

TAGS = set("html head meta title style body h1 h2 p table thead tbody tr th td span".split())


class Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


@hypothesis.settings(max_examples=100, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(content=contents.contents())
def test_no_word_of_a_board_becomes_markup(content):
    parser = Parser()
    parser.feed(files.write(content, files.Format.HTML).data.decode())
    parser.close()
    assert parser.tags <= TAGS
    assert parser.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    text = "".join(parser.text)
    said = [content.name, *(scene.subject for scene in content.scenes), *(one.name for one in content.characters)]
    assert all(
        word.replace("\r\n", "\n").replace("\r", "\n") in text.replace("\r\n", "\n").replace("\r", "\n")
        for word in said
    )


def test_a_page_is_told_to_be_no_import():
    written = files.write(files.read(b"name: A film", files.Format.YAML, "")[0], files.Format.HTML)
    assert (written.name, written.content_type) == ("a-film.html", "text/html; charset=utf-8")
    assert [it.text for it in written.warnings] == ["it is for printing, and cannot be imported"]
    assert b"size: A4" in written.data
    assert b"default-src 'none'" in written.data
