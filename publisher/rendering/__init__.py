"""Templates become pages and mails: the only room that knows jinja2 and css-inline.

The publication's own templates come first, the packaged ones second; an own
template may build on the packaged one of the same name as `packaged:NAME`.
What a template may use is told at its top; what every template may use, in
`rendering.templates`.
"""
