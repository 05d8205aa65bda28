"""Which files make a project, which of them are written, and what is said where there is none."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroify.project import Project, ProjectError, open_project, stand_in

NET = "class Net: ...\n"


def selected(*targets: Path, **options: Path) -> list[str]:
    return list(open_project(targets, None, **options).selected)


def refusal(*targets: Path, spec: Path | None = None) -> tuple[str, str]:
    with pytest.raises(ProjectError) as caught:
        open_project(targets, spec)
    assert caught.value.finding.help
    return caught.value.finding.code, caught.value.finding.message


class TestRoot:
    @pytest.mark.parametrize("mark", ["pyroify.yaml", "pyproject.toml", ".git/HEAD"])
    def test_is_the_nearest_ancestor_with_a_mark(self, lay_out: Callable, mark: str) -> None:
        root = lay_out({"pyproject.toml": "", f"repo/{mark}": "", "repo/src/pkg/net.py": NET})
        project = open_project([root / "repo/src/pkg/net.py"], None)
        assert project.root == root / "repo"
        assert project.files == ("src/pkg/net.py",)

    def test_is_the_common_folder_without_a_mark(self, lay_out: Callable) -> None:
        root = lay_out({"a/x.py": NET, "b/y.py": NET})
        assert open_project([root / "a/x.py", root / "b"], None).root == root
        assert open_project([root / "a/x.py"], None).root == root / "a"

    def test_a_named_spec_marks_its_folder(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "p/priors.yaml": "", "p/src/net.py": NET})
        project = open_project([root / "p/src"], root / "p/priors.yaml")
        assert (project.root, project.spec_path) == (root / "p", root / "p/priors.yaml")

    def test_of_two_packages_in_one_repository_is_the_repository(self, lay_out: Callable) -> None:
        root = lay_out(
            {".git/HEAD": "", "a/pyproject.toml": "", "b/pyproject.toml": "", "a/x.py": NET}
        )
        (root / "b/y.py").write_text(NET)
        assert open_project([root / "a", root / "b"], None).root == root

    @pytest.mark.parametrize("mark", [".git/HEAD", "pyproject.toml"])
    def test_targets_of_two_projects_are_refused(self, lay_out: Callable, mark: str) -> None:
        root = lay_out({f"a/{mark}": "", f"b/{mark}": "", "a/x.py": NET, "b/y.py": NET})
        code, message = refusal(root / "a", root / "b")
        assert code == "PYR230"
        assert str(root / "b") in message

    def test_is_the_current_folder_without_targets(
        self, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(lay_out({"net.py": NET}))
        assert selected() == ["net.py"]


class TestSpec:
    def test_is_looked_for_upward(self, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": "", "sub/pyproject.toml": "", "sub/net.py": NET})
        project = open_project([root / "sub"], None)
        assert project.root == root / "sub"
        assert project.spec_path == root / "pyroify.yaml"

    def test_is_not_looked_for_above_the_repository(self, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": "", "repo/.git/HEAD": "", "repo/net.py": NET})
        assert open_project([root / "repo"], None).spec_path is None

    def test_can_be_named_in_pyproject(self, lay_out: Callable) -> None:
        table = '[tool.pyroify]\nspec = "conf/priors.yaml"\n'
        root = lay_out({"pyproject.toml": table, "conf/priors.yaml": "", "net.py": NET})
        assert open_project([root], None).spec_path == root / "conf/priors.yaml"

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ('[tool.pyroify]\nspec = "gone.yaml"\n', "gone.yaml, which does not exist"),
            ("[tool.pyroify]\nspecs = 1\n", "one key, spec"),
            ("[tool.pyroify\n", "no valid TOML"),
        ],
    )
    def test_a_wrong_pyproject_is_refused(
        self, lay_out: Callable, table: str, message: str
    ) -> None:
        root = lay_out({"pyproject.toml": table, "net.py": NET})
        code, said = refusal(root)
        assert code == "PYR235"
        assert message in said

    def test_that_is_missing_is_refused(self, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET})
        assert refusal(root, spec=root / "gone.yaml")[0] == "PYR201"


class TestFiles:
    def git(self, root: Path, *args: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *identity, "-C", root, *args], check=True, capture_output=True)

    def test_what_git_tracks_counts_although_it_is_ignored(self, lay_out: Callable) -> None:
        root = lay_out({".gitignore": "/gen/\n", "net.py": NET, "gen/a.py": NET, "gen/b.py": NET})
        self.git(root, "init", "-q")
        self.git(root, "add", "-f", "gen/a.py")
        assert selected(root) == ["gen/a.py", "net.py"]
        (root / "gen/a.py").unlink()
        assert selected(root) == ["net.py"]

    def test_the_users_own_ignore_file_counts(
        self, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = lay_out(
            {"home/ignored": "scratch*\n", "repo/net.py": NET, "repo/scratch/a.py": NET}
        )
        (place / "home/.gitconfig").write_text(f"[core]\n\texcludesFile = {place}/home/ignored\n")
        monkeypatch.setenv("HOME", str(place / "home"))
        self.git(place / "repo", "init", "-q")
        assert selected(place / "repo") == ["net.py"]
        assert selected(place / "repo/scratch") == ["scratch/a.py"]

    def test_of_a_worktree_of_git(self, lay_out: Callable) -> None:
        place = lay_out({"repo/net.py": NET})
        self.git(place / "repo", "init", "-q")
        self.git(place / "repo", "add", ".")
        self.git(place / "repo", "commit", "-qm", "x")
        self.git(place / "repo", "worktree", "add", "-q", "../other")
        (place / "repo/.git/info/exclude").write_text("private.py\n")
        (place / "other/private.py").write_text(NET)
        assert selected(place / "other") == ["net.py"]

    @pytest.mark.parametrize("is_submodule", [True, False])
    def test_repositories_within_are_entered(self, lay_out: Callable, is_submodule: bool) -> None:
        root = lay_out({"net.py": NET, "sub/a.py": NET, "sub/b.gen.py": NET, "sub/pkg/c.py": NET})
        (root / "sub/.gitignore").write_text("*.gen.py\n")
        self.git(root, "init", "-q")
        self.git(root / "sub", "init", "-q")
        self.git(root / "sub", "add", "a.py")
        self.git(root / "sub", "commit", "-qm", "x")
        if is_submodule:
            self.git(root, "add", "sub")
        assert selected(root) == ["net.py", "sub/a.py", "sub/pkg/c.py"]

    def test_git_runs_nothing_that_the_repository_names(self, lay_out: Callable) -> None:
        place = lay_out({"repo/net.py": NET, "repo/.gitattributes": "* filter=evil\n"})
        evil = place / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {place}/PWNED\n")
        evil.chmod(0o755)
        self.git(place / "repo", "init", "-q")
        self.git(place / "repo", "add", ".")
        for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "core.pager"):
            self.git(place / "repo", "config", key, str(evil))
        (place / "repo/net.py").write_text(NET + "\n")
        assert selected(place / "repo") == ["net.py"]
        assert not (place / "PWNED").exists()

    def test_without_git_the_ignore_files_decide(
        self, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = lay_out({".gitignore": "*.gen.py\n", "net.py": NET, "a.gen.py": NET})
        self.git(root, "init", "-q")
        monkeypatch.setenv("PATH", "")
        assert selected(root) == ["net.py"]

    def test_environments_and_caches_are_never_entered(self, lay_out: Callable) -> None:
        root = lay_out(
            {
                "net.py": NET,
                "my-env/pyvenv.cfg": "",
                "my-env/lib/net.py": NET,
                "conda/conda-meta/history": "",
                "conda/net.py": NET,
                "node_modules/net.py": NET,
                "__pycache__/net.py": NET,
                "vendor/site-packages/net.py": NET,
                ".git/hooks/net.py": NET,
                ".venv/net.py": NET,
            }
        )
        assert selected(root) == ["net.py"]

    def test_a_file_in_an_environment_is_not_rewritten_when_named(self, lay_out: Callable) -> None:
        root = lay_out({"env/pyvenv.cfg": "", "env/lib/net.py": NET, "pyproject.toml": ""})
        assert refusal(root / "env/lib/net.py")[0] == "PYR202"
        assert refusal(root / "env/lib")[0] == "PYR202"

    def test_what_git_ignores_is_left_out_as_git_does(
        self, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = {
            ".gitignore": "*.gen.py\n/build/\nignored/\n!keep.gen.py\n# comment\ndoc/*.py\n",
            ".git/info/exclude": "private.py\n",
            "sub/.gitignore": "local.py\n!sub.gen.py\n/anchored.py\n**/deep/*.py\n",
            "ignored/.gitignore": "!*.py\n",
        }
        sources = (
            "net.py a.gen.py keep.gen.py build/x.py sub/build/x.py ignored/x.py sub/ignored/x.py "
            "sub/local.py local.py sub/sub.gen.py sub/x.gen.py sub/anchored.py sub/a/anchored.py "
            "sub/a/deep/x.py deep/x.py private.py sub/private.py doc/x.py doc/a/x.py"
        )
        root = lay_out(files | dict.fromkeys(sources.split(), NET))
        subprocess.run(["git", "init", "-q", root], check=True)
        (root / ".git/info/exclude").write_text("private.py\n")
        command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "*.py"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert selected(root) == sorted(told.split())
        monkeypatch.setenv("PATH", "")  # the rules of our own, where there is no git to be asked
        assert selected(root) == sorted(told.split())
        assert "net.py" in told.split() and "a.gen.py" not in told.split()

    def test_ignore_files_above_the_target_count(self, lay_out: Callable) -> None:
        root = lay_out(
            {".git/HEAD": "", ".gitignore": "*.gen.py\n", "p/pyproject.toml": "", "p/a.gen.py": NET}
        )
        (root / "p/net.py").write_text(NET)
        assert selected(root / "p") == ["net.py"]

    def test_an_ignored_folder_counts_when_it_is_named(self, lay_out: Callable) -> None:
        root = lay_out({".git/HEAD": "", ".gitignore": "/demo/\n", "demo/net.py": NET})
        (root / "other.py").write_text(NET)
        assert selected(root / "demo") == ["demo/net.py"]
        assert selected(root) == ["other.py"]

    def test_an_ignored_folder_with_a_spec_is_a_project(self, lay_out: Callable) -> None:
        root = lay_out({".git/HEAD": "", ".gitignore": "/demo/\n", "demo/net.py": NET})
        (root / "demo/pyroify.yaml").write_text("")
        assert selected(root / "demo") == ["net.py"]

    def test_all_files_are_covered_and_the_named_ones_selected(self, lay_out: Callable) -> None:
        root = lay_out(
            {"pyproject.toml": "", "base.py": NET, "models/a.py": NET, "models/b.py": NET}
        )
        project = open_project([root / "models/b.py"], None)
        assert project.files == ("base.py", "models/a.py", "models/b.py")
        assert project.selected == ("models/b.py",)

    def test_a_file_named_twice_is_one(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "models/a.py": NET})
        named = (root / "models/a.py", root / "models", root / "models/../models/a.py")
        assert selected(*named) == ["models/a.py"]

    def test_a_script_without_suffix_counts_when_it_is_named(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "train": "#!/usr/bin/env python3\n", "net.py": NET})
        assert selected(root / "train") == ["train"]
        assert selected(root) == ["net.py"]

    def test_linked_folders_are_not_followed(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "pkg/net.py": NET})
        (root / "pkg/loop").symlink_to(root)
        assert selected(root) == ["pkg/net.py"]

    def test_a_folder_reached_through_a_link_has_its_real_root(self, lay_out: Callable) -> None:
        root = lay_out({"repo/pyproject.toml": "", "repo/pkg/net.py": NET})
        (root / "link").symlink_to(root / "repo/pkg")
        project = open_project([root / "link/net.py"], None)
        assert (project.root, project.selected) == (root / "repo", ("pkg/net.py",))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_folder_that_cannot_be_listed_is_said(self, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET, "closed/net.py": NET})
        (root / "closed").chmod(0)
        assert refusal(root)[0] == "PYR201"


class TestRefusals:
    def test_a_missing_path(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "gone") == ("PYR201", "no such file or folder")

    def test_a_folder_without_python(self, lay_out: Callable) -> None:
        assert refusal(lay_out({"README.md": ""})) == ("PYR202", "no Python files found")

    @pytest.mark.parametrize("name", ["train.csv", "script", "net.pyi"])
    def test_a_file_that_is_no_python_source(self, lay_out: Callable, name: str) -> None:
        assert refusal(lay_out({name: ""}) / name)[0] == "PYR231"


class TestNarrowing:
    def project(self, *selected: str) -> Project:
        return Project(Path("/p"), None, selected, selected)

    def test_include_and_exclude_filter_what_is_selected(self) -> None:
        project = self.project("src/a.py", "src/legacy/b.py", "tools/c.py")
        narrowed = project.narrowed(["src/**/*.py"], ["**/legacy/**"])
        assert narrowed.selected == ("src/a.py",)
        assert narrowed.files == project.files

    def test_they_also_filter_files_that_were_named(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "legacy/net.py": NET})
        project = open_project([root / "legacy/net.py"], None)
        assert project.narrowed([], ["legacy/"]).selected == ()

    def test_without_globs_everything_stays(self) -> None:
        assert self.project("a.py", "b/c.py").narrowed([], []).selected == ("a.py", "b/c.py")


class TestStdin:
    def test_the_named_file_need_not_exist(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "base.py": NET})
        project = open_project([], None, stdin_filename=root / "new.py")
        assert (project.files, project.selected) == (("base.py", "new.py"), ("new.py",))

    def test_the_stand_in_differs_in_that_file_only(self, lay_out: Callable) -> None:
        root = lay_out({"pyproject.toml": "", "pkg/base.py": NET, "pkg/net.py": "old = 1\n"})
        project = open_project([], None, stdin_filename=root / "pkg/net.py")
        with stand_in(project, b"new = 1\n") as folder:
            assert (folder / "pkg/net.py").read_bytes() == b"new = 1\n"
            assert (folder / "pkg/base.py").read_text() == NET
        assert (root / "pkg/net.py").read_text() == "old = 1\n"
        assert not folder.exists()
