//! Test files: a table `[meta]` with name and version, and one `[[steps]]` or more.

/// What a test file says.
#[derive(Debug)]
pub struct TestFile {
    pub name: String,
    pub steps: usize,
}

impl TestFile {
    /// Reads a test file; the error names the line, or what is missing.
    pub fn parse(text: &str) -> Result<TestFile, String> {
        let (mut table, mut name, mut version, mut steps) = (String::new(), None, None, 0);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                if !line.ends_with(']') {
                    return Err(format!("line {}: the table is never closed", number + 1));
                }
                table = line.trim_matches(|c| c == '[' || c == ']').to_string();
                steps += usize::from(table == "steps");
                continue;
            }
            let (key, value) = match line.split_once('=') {
                Some(pair) => pair,
                None => return Err(format!("line {}: neither a table nor KEY = VALUE", number + 1)),
            };
            let value = value.trim().trim_matches('"').to_string();
            match (table.as_str(), key.trim()) {
                ("meta", "name") => name = Some(value),
                ("meta", "version") => version = Some(value),
                _ => {}
            }
        }
        match (name, version) {
            _ if steps == 0 => Err("it has no [[steps]]".to_string()),
            (Some(name), Some(_)) => Ok(TestFile { name, steps }),
            _ => Err("[meta] needs name and version".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TestFile;

    #[test]
    fn counts_steps() {
        let text = "[meta]\nname = \"a\"\nversion = \"1\"\n\n[[steps]]\nname = \"x\"\n[[steps]]\nname = \"y\"\n";
        assert_eq!(TestFile::parse(text).unwrap().steps, 2);
    }

    #[test]
    fn names_the_line() {
        assert!(TestFile::parse("[meta\n").unwrap_err().starts_with("line 1:"));
    }
}
