"""Reads a page as strictly as a browser is lenient."""

from html.parser import HTMLParser

VOID = {"br", "link", "meta"}


class Page(HTMLParser):
    """Refuses tags that are not closed in order; collects tags, attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, *pair) for pair in attrs)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", " ".join(data.split())))

    def values(self, attribute):
        return [value for _, name, value in self.attributes if name == attribute]

    @property
    def words(self):
        return " ".join(text for tag, text in self.text if text and tag != "style")
