from mmproto.datasets.file_copies import TAIL, copies


def test_files_that_are_the_same_byte_for_byte(tmp_path):
    contents = dict(
        a=b'one', b=b'two', c=b'one', d=b'', e=b'', f=b'onetwo',
        g=b'x' + b'0' * TAIL, h=b'y' + b'0' * TAIL, i=b'x' + b'0' * TAIL,
    )  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    found = copies([str(tmp_path / name) for name in contents] * 2)
    same = {''.join(path[-1] for path in paths) for paths in found}
    assert same == {'ac', 'de', 'gi'}
    (tmp_path / 'i').write_bytes(b'z' + b'0' * TAIL)
    assert len(copies([str(tmp_path / name) for name in contents])) == 2
