import os

from aegis_enrich.follow.tree import Tree


def _walk(tree: Tree, **options) -> dict[str, tuple[frozenset[str], bool]]:
    return {x.folder: (x.names, x.fresh) for x in tree.walk(**options)}


def _age(path) -> None:
    os.utime(path, (1, 1))


def test_folders_are_listed_anew_only_where_they_changed(tmp_path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conn.log").touch()
        _age(tmp_path / name)
    _age(tmp_path)
    tree = Tree({"s": [tmp_path]})
    assert all(fresh for _, fresh in _walk(tree).values())
    assert not any(fresh for _, fresh in _walk(tree).values())
    (tmp_path / "b" / "dns.log").touch()
    assert _walk(tree) == {
        str(tmp_path): (frozenset(), False),
        str(tmp_path / "a"): (frozenset(["conn.log"]), False),
        str(tmp_path / "b"): (frozenset(["conn.log", "dns.log"]), True),
    }
    assert all(fresh for _, fresh in _walk(tree, full=True).values())


def test_a_folder_that_is_gone_comes_once_without_names(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    tree = Tree({"s": [tmp_path]})
    _walk(tree)
    (tmp_path / "a").rmdir()
    assert _walk(tree)[str(tmp_path / "a")] == (frozenset(), True)
    assert str(tmp_path / "a") not in _walk(tree)


def test_links_to_folders_are_followed_and_each_folder_is_walked_once(tmp_path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "conn.log").touch()
    (tmp_path / "logs" / "current").symlink_to(tmp_path / "spool")
    (tmp_path / "spool" / "up").symlink_to(tmp_path / "logs")
    tree = Tree({"s": [tmp_path / "logs"]})
    walked = _walk(tree)
    assert set(walked) == {str(tmp_path / "logs"), str(tmp_path / "logs" / "current")}
    assert str(tmp_path / "spool") in tree.linked


def test_hidden_files_and_folders_are_left_out(tmp_path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".shadow.conn.log").touch()
    assert _walk(Tree({"s": [tmp_path]})) == {str(tmp_path): (frozenset(), True)}


def test_a_file_by_itself_is_given(tmp_path) -> None:
    (tmp_path / "conn.log").touch()
    tree = Tree({"s": [tmp_path / "conn.log"]})
    (listing,) = tree.walk()
    assert (listing.folder, listing.names, listing.given) == (str(tmp_path), frozenset(["conn.log"]), True)
