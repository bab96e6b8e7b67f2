import pytest

from tests.docs import code_blocks as module
from tests.docs.code_blocks import code_blocks

PAGE = """# A page
```python
before = 1
```
## First
```python
# no heading
a = 1
```
### Below it
```bash
b
```
```python
c = 2
```
## Second
```python
d = 3
```
"""


def test_blocks_are_those_of_the_section(tmp_path, monkeypatch):
    (tmp_path / 'page.md').write_text(PAGE)
    monkeypatch.setattr(module, 'DOCS', tmp_path)
    assert code_blocks('page.md', 'First') == ['# no heading\na = 1\n', 'c = 2\n']
    assert code_blocks('page.md', 'First', 'bash') == ['b\n']
    assert code_blocks('page.md', 'Second') == ['d = 3\n']
    with pytest.raises(ValueError, match="no code in a section 'Third'"):
        code_blocks('page.md', 'Third')
