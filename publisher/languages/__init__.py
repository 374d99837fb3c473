"""Message catalogues: every label a reader sees, in the language of the rendition.

One TOML file per language, named after its BCP 47 tag. A text may name values
as `{name}`; a table of plural categories (`one`, `other`) is chosen by the
value `count`. Dates come from the CLDR and are right in every language, with
or without a catalogue here.
"""

from publisher.languages.catalogues import label, languages, spoken
from publisher.languages.dates import clock_text, date_text, datetime_text, full_date_text, time_text
from publisher.languages.numbers import number_text
from publisher.languages.scripts import direction, language_name, upper
from publisher.languages.zones import city_text, zones

__all__ = [
    "city_text",
    "clock_text",
    "date_text",
    "datetime_text",
    "direction",
    "full_date_text",
    "label",
    "language_name",
    "languages",
    "number_text",
    "spoken",
    "time_text",
    "upper",
    "zones",
]
