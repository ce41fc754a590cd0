"""Test, easy, a change: like the library's songs from before some year (the library has two pages)."""

from typing import Any

from kate_engine.mini.people import Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    entries = models.spotify.UserLibrarySong.find_all(user_id=supervisor.id)
    songs = [models.spotify.Song.by_id(entry.song_id) for entry in entries]
    old = sorted(song.id for song in songs if song.release_date.year < values["year"])
    likes = [[str(supervisor.id), str(song_id)] for song_id in old]
    return Truth(private={"likes": sorted(likes), "song_ids": old})


SCENARIO = Scenario(
    name="like_old_songs",
    split="mini_test",
    difficulty=1,
    apps=("spotify",),
    instruction="Like all the songs in my Spotify song library that were released before {year}.",
    variants=(
        Variant("oskar", {"year": 2012}),
        Variant("priya", {"year": 2011}),
        Variant("maya", {"year": 2013}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("spotify"),
        paged("library", "spotify.show_song_library"),
        """
    songs = [apis.spotify.show_song(song_id=entry["song_id"]) for entry in library]
    old_songs = [song for song in songs if int(song["release_date"][:4]) < $year]
    for song in old_songs:
        apis.spotify.like_song(song_id=song["song_id"], access_token=spotify_token)
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only likes were changed, and the like counts of songs that follow from them."""):
    test.case(models.changed_model_names(), "==", {"spotify.SongLike", "spotify.Song"})
added, updated, removed = models.changed_records("spotify.SongLike")
with test("""No earlier like was changed or taken back."""):
    test.case(len(updated) + len(removed), "==", 0)
with test("""The supervisor likes exactly the library's old songs in addition."""):
    test.case(rows(added, "user_id", "song_id"), "==", [list(row) for row in private_data.likes])
added, updated, removed = models.changed_records("spotify.Song")
with test("""No other song is different."""):
    test.case(len(added) + len(removed), "==", 0)
    test.case(sorted(song.id for song in updated), "==", list(private_data.song_ids))
''',
    collateral=statements(
        """
    other_songs = [song for song in songs if int(song["release_date"][:4]) >= $year]
    apis.spotify.like_song(song_id=other_songs[0]["song_id"], access_token=spotify_token)
"""
    ),
)
