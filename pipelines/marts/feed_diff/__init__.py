"""What changed from one version of a feed to the next: `marts.feed_changes` and its rows.

Routes, stops and trips are matched by id where ids are stable, else by identity; a version is never
compared by the words of its publisher alone.

- *Identity of a route*: its agency's name, its short and long name and its type. *Of a stop*: its
  place (`marts.trip_patterns`) and location type. *Of a trip*: its route, direction, stops in
  order, departure from the first stop, weekdays and frequencies.
- Ids are *stable* when at least half of those of the smaller version survive, and at least half of
  the identities that both versions have are found under the same id (publishers also number anew).
- By id a row that survives is *changed* when a column differs. By identity nothing is changed, only
  removed and added, and the same identity may stand for several rows; trips of an identity on
  services that take turns count once.
- A *pattern* is a route, direction and sequence of stops; it is changed when the number of its
  trips is. The routes and stops of trips and patterns go by id or identity as these tables do.
- *Vehicle-km*, by route, on a comparable weekday: the first date, from the night on, of the pair of
  service sets (before, after) that most Mondays to Fridays within both versions have. Versions
  without such a date in common are compared by a typical weekday of each.

Both ways round the same is found: what is added from A to B is removed from B to A.
Left out: times at stops other than the first and the last, fares, transfers, shapes.
"""
