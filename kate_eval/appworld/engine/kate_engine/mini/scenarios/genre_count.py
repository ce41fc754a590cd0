"""Train, easy, a question: how many songs of the library are of one genre (two pages of songs)."""

from typing import Any

from kate_engine.mini.people import Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    entries = models.spotify.UserLibrarySong.find_all(user_id=supervisor.id)
    songs = [models.spotify.Song.by_id(entry.song_id) for entry in entries]
    return Truth(answer=sum(song.genre == values["genre"] for song in songs))


SCENARIO = Scenario(
    name="genre_count",
    split="mini_train",
    difficulty=1,
    apps=("spotify",),
    instruction="How many of the songs in my Spotify song library are {genre} songs?",
    variants=(
        Variant("maya", {"genre": "jazz"}),
        Variant("oskar", {"genre": "folk"}),
        Variant("priya", {"genre": "rock"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("spotify"),
        paged("library", "spotify.show_song_library"),
        """
    songs = [apis.spotify.show_song(song_id=entry["song_id"]) for entry in library]
    matching = [song for song in songs if song["genre"] == $genre]
    apis.supervisor.complete_task(answer=len(matching))
""",
    ),
    evaluation='''
with test("""The answer is the number of library songs of the genre that was asked about."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Nothing in any app was changed."""):
    test.case(models.changed_model_names(), "==", set())
''',
    collateral=statements(
        """
    song_id = library[0]["song_id"]
    apis.spotify.like_song(song_id=song_id, access_token=spotify_token)
"""
    ),
)
