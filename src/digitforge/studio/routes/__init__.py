"""The studio's routes: one file a view of the page: read what is asked, have it done, answer."""
