"""What we repair in plotly, anywidget and ipywidgets, and what every component stands on."""
