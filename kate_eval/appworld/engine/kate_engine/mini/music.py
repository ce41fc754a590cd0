"""Spotify: artists, albums, songs, and what each supervisor keeps there. All titles are invented."""

import random
from datetime import datetime
from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import PEOPLE, SUPERVISORS

GENRES = ("jazz", "folk", "techno", "rock", "soul")
ARTISTS = (
    "The Paper Lanterns",
    "Halden Row",
    "Mirela Voss",
    "Copper Weather",
    "Dune Cartographers",
    "Ostrava Nights",
    "Lena Marrow",
    "Quiet Tractors",
    "Sable & Pine",
    "Aurelio Finch",
)
_FIRST = (
    "Amber",
    "Hollow",
    "Northern",
    "Velvet",
    "Broken",
    "Silver",
    "Distant",
    "Marble",
    "Restless",
    "Tidal",
)
_SECOND = (
    "Harbour",
    "Staircase",
    "Orchard",
    "Signal",
    "Window",
    "Compass",
    "Meadow",
    "Engine",
    "Letter",
    "Moon",
)
LIBRARY_SIZE = 26
"""More than a page of 20, so that nobody reads a library in one call."""


def add_music(models: Any) -> None:
    """Fill the catalogue (10 artists, 20 albums, 80 songs), then libraries, playlists and likes."""
    spotify = models.spotify
    for index, name in enumerate(ARTISTS):
        spotify.Artist.create_save(name=name, genre=GENRES[index % 5], created_at=days_ago(2000 + index))
    _add_albums(spotify)
    rng = random.Random("mini-music")
    for key in SUPERVISORS:
        _add_library(spotify, PEOPLE[key].id, rng)


def _add_albums(spotify: Any) -> None:
    rng = random.Random("mini-albums")
    titles = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    rng.shuffle(titles)
    for album in range(20):
        artist, released = 1 + album % 10, datetime(2008 + (album * 7) % 15, 1 + album % 12, 1 + album)
        genre = GENRES[album % 5]
        title = f"{titles.pop()} Sessions"
        spotify.Album.create_save(title=title, artist_ids=[artist], release_date=released, genre=genre)
        for _ in range(4):
            spotify.Song.create_save(
                title=titles.pop(),
                artist_ids=[artist],
                album_id=album + 1,
                duration=rng.randrange(140, 380),
                release_date=released,
                genre=genre,
                play_count=rng.randrange(50, 9000),
            )


def _add_library(spotify: Any, user_id: int, rng: random.Random) -> None:
    library = rng.sample(range(1, 81), LIBRARY_SIZE)
    for age, song_id in enumerate(library):
        spotify.UserLibrarySong.create_save(user_id=user_id, song_id=song_id, created_at=days_ago(300 - age))
    elsewhere = [song_id for song_id in range(1, 81) if song_id not in library]
    for age, song_id in enumerate(rng.sample(elsewhere, 7)):
        spotify.SongLike.create_save(user_id=user_id, song_id=song_id, liked_at=days_ago(90 - age))
    for artist_id in rng.sample(range(1, 11), 3):
        spotify.UserArtistFollowing.create_save(
            user_id=user_id, artist_id=artist_id, created_at=days_ago(120)
        )
    for number, title in enumerate(("Morning Run", "Late Shift", "Sunday Kitchen")):
        playlist = spotify.Playlist.create_save(
            title=title, user_id=user_id, created_at=days_ago(200 - number)
        )
        for song_id in rng.sample(library, 6):
            spotify.PlaylistSong.create_save(
                playlist_id=playlist.id, song_id=song_id, added_at=days_ago(100 - number)
            )
    spotify.MusicPlayer.create_save(
        user_id=user_id, queue_song_ids=library[:4], cursor_position=0, volume=4 + user_id
    )
