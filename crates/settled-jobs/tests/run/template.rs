//! What placeholders stand for, seen in the arguments that a job gets.

use settled_jobs::run::{Program, Run, RunConfig, Separator, Template, TemplateError};
use settled_jobs::{ErrorKind, Work};

use crate::support::{config, line, shell, with};

fn args_of(run: &Run, bytes: &[u8]) -> Result<Vec<String>, String> {
    match run.decode(line(bytes)) {
        Ok(job) => Ok(job
            .spec
            .args()
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect()),
        Err(failure) => {
            assert_eq!((failure.kind, failure.retry), (ErrorKind::Input, false));
            Err(failure.message.into_owned())
        }
    }
}

fn filled(template: &[&str], bytes: &[u8]) -> Result<Vec<String>, String> {
    args_of(&with(&config(template), Default::default()), bytes)
}

fn one(template: &str, bytes: &[u8]) -> Result<String, String> {
    filled(&["p", template, "{#}"], bytes).map(|args| args[1].clone())
}

#[test]
fn each_placeholder_is_replaced_inside_its_argument() {
    let line = b"a b\tc\td";
    assert_eq!(one("<{}>", line).as_deref(), Ok("<a b\tc\td>"));
    assert_eq!(one("{2}{1}", line).as_deref(), Ok("ca b"));
    assert_eq!(one("{#}-{id}", line).as_deref(), Ok("7-7"));
    assert_eq!(
        one("{id}", br#"{"id":"own","input":"x"}"#).as_deref(),
        Ok("own")
    );
    assert_eq!(
        one("{id}{#}", br#"{"id":-3,"input":"x"}"#).as_deref(),
        Ok("-37")
    );
    assert_eq!(
        filled(&["{}", "{}"], b"x"),
        Ok(vec!["x".into(), "x".into()])
    );
}

#[test]
fn other_braces_are_text() {
    for text in [
        "{a,b}",
        "{print $1}",
        r#"{"a":{"b":1}}"#,
        "{",
        "}",
        "{}}".trim_start_matches("{}"),
        "{ }",
        "{-1}",
        "{ids}",
        "a{",
    ] {
        assert_eq!(one(text, b"x").as_deref(), Ok(text));
        assert!(
            !Template::parse(["p", text])
                .expect("a template")
                .has_placeholder()
        );
    }
    assert_eq!(one(r#"{"a":"{}"}"#, b"x").as_deref(), Ok(r#"{"a":"x"}"#));
    for (escaped, text) in [
        ("{{}", "{}"),
        ("{{", "{"),
        ("{{{{}", "{{}"),
        ("{{{}", "{x"),
        ("{{id}{}", "{id}x"),
        ("{{2}", "{2}"),
    ] {
        assert_eq!(one(escaped, b"x").as_deref(), Ok(text), "{escaped}");
    }
}

#[test]
fn a_pointer_finds_a_value_of_the_json_line() {
    let line = br#"{"input":"x","meta":{"user":"Zo\u00eb","n":[1, 2.50, null],"a/b":true}}"#;
    assert_eq!(one("{/meta/user}", line).as_deref(), Ok("Zoë"));
    assert_eq!(one("{/meta/n}", line).as_deref(), Ok("[1,2.50,null]"));
    assert_eq!(
        one("{/meta/n/1}{/meta/a~1b}", line).as_deref(),
        Ok("2.50true")
    );
    assert_eq!(one("{/url}", br#"{"url":"u"}"#).as_deref(), Ok("u"));
    assert_eq!(
        one("{/meta/x}", line),
        Err("`{/meta/x}` has no value: the line has no such member".into())
    );
    assert_eq!(
        one("{/meta}", b"plain"),
        Err("`{/meta}` has no value: the line is not JSON".into())
    );
}

#[test]
fn a_placeholder_without_a_value_is_named() {
    assert_eq!(
        one("{3}", b"a\tb"),
        Err("`{3}` has no value: the line has 2 columns".into())
    );
    assert_eq!(
        one("{2}", b"a b"),
        Err("`{2}` has no value: the line has 1 column".into())
    );
    assert_eq!(
        one("{2}", br#"{"args":["a"]}"#),
        Err("`{2}` has no value: the line has 1 column".into())
    );
    assert_eq!(
        one("{}", b"{}"),
        Err("`{}` has no value: the line has neither `input` nor `args`".into())
    );
    assert_eq!(
        one("{}", b"a\0b"),
        Err("a NUL byte can't be passed to a command".into())
    );
    assert_eq!(
        one("{1}", br#"{"args":["\u0000"]}"#),
        Err("a NUL byte can't be passed to a command".into())
    );
}

#[test]
fn without_a_placeholder_the_input_is_appended() {
    assert_eq!(
        filled(&["p", "-x"], b"a\tb"),
        Ok(vec!["p".into(), "-x".into(), "a\tb".into()])
    );
    assert_eq!(
        filled(&["p"], br#"{"args":["a",1,true,"",1e5]}"#).map(|args| args.join("|")),
        Ok("p|a|1|true||1e5".into())
    );
    assert_eq!(filled(&["p"], br#"{"args":[]}"#), Ok(vec!["p".into()]));
    assert_eq!(
        filled(&["p"], b"{}"),
        Err("neither `args` nor `input` is given".into())
    );
    assert_eq!(
        filled(&["p", "{}"], br#"{"args":["a","b"]}"#),
        Ok(vec!["p".into(), "a b".into()])
    );
    let off = RunConfig {
        append: false,
        ..config(&["p", "-x"])
    };
    assert_eq!(
        args_of(&with(&off, Default::default()), b"a"),
        Ok(vec!["p".into(), "-x".into()])
    );
}

#[test]
fn a_separator_makes_columns_of_a_line() {
    let comma = |config| RunConfig {
        separator: Separator::new(*b", "),
        ..config
    };
    let appended = with(&comma(config(&["p"])), Default::default());
    assert_eq!(
        args_of(&appended, b"a, b,c, "),
        Ok(vec!["p".into(), "a".into(), "b,c".into(), "".into()])
    );
    let numbered = with(&comma(config(&["p", "{2}"])), Default::default());
    assert_eq!(
        args_of(&numbered, br#"{"input":"a, b"}"#),
        Ok(vec!["p".into(), "b".into()])
    );
    assert_eq!(Separator::new(*b""), None);
}

#[test]
fn a_shell_gets_values_and_never_text() {
    let args = |config, bytes| args_of(&with(&config, Default::default()), bytes);
    let sh = |values: &[&str]| {
        Ok(["/bin/sh", "-c", "echo {} $1", "sh"]
            .iter()
            .chain(values)
            .map(|arg| (*arg).to_owned())
            .collect())
    };
    assert_eq!(
        args(shell("echo {} $1"), b"a\tb; rm x"),
        sh(&["a\tb; rm x"])
    );
    assert_eq!(
        args(shell("echo {} $1"), br#"{"args":["$(x)","y"]}"#),
        sh(&["$(x)", "y"])
    );
    let tab = RunConfig {
        separator: Some(Separator::default()),
        ..shell("echo {} $1")
    };
    assert_eq!(args(tab, b"a\tb"), sh(&["a", "b"]));
    assert!(Run::new(shell("a\0b")).is_err());
}

#[test]
fn a_template_that_can_stand_for_nothing_is_refused() {
    let error = |args: &[&str]| Template::parse(args.iter().copied()).expect_err("no template");
    assert_eq!(error(&[]), TemplateError::NoProgram);
    assert_eq!(error(&[""]), TemplateError::NoProgram);
    assert_eq!(error(&["a\0"]), TemplateError::Nul);
    assert_eq!(
        error(&["p", "{0}"]).to_string(),
        "`{0}` is no column: they count from 1 (write `{{0}` for the text itself)"
    );
    for bad in ["{01}", "{99999999999}", "{/a~2}"] {
        assert!(
            matches!(error(&["p", bad]), TemplateError::Placeholder { .. }),
            "{bad}"
        );
    }
    let program = Template::parse(["{1}"]).map(Program::Template);
    assert!(program.is_ok());
}
