//! `tinygpt acts` and its plot.

use super::*;

#[test]
fn acts_lists_every_activation() {
    let folder = folder();
    let list = last_line(&succeed(tinygpt(&folder).args(["acts", "--dim", "768", "--json"])));
    let acts = list["activations"].as_array().unwrap();
    let find = |name: &str| acts.iter().find(|act| act["name"] == name).unwrap_or_else(|| panic!("{name}"));
    for name in [
        "relu",
        "gelu",
        "gelu_tanh",
        "silu",
        "sigmoid",
        "tanh",
        "relu2",
        "leaky_relu",
        "elu",
        "selu",
        "softplus",
        "mish",
        "quick_gelu",
        "identity",
        "swiglu",
        "geglu",
        "reglu",
        "glu",
        "bilinear",
    ] {
        find(name);
    }
    let swiglu = find("swiglu");
    assert_eq!((number(swiglu, "ffn_params"), number(swiglu, "ffn_dim")), (4_718_592.0, 2048.0));
    assert_eq!(swiglu["gated"], true);
    assert_eq!(
        (&swiglu["transformers"]["llama"], &swiglu["llama_cpp"]),
        (&"LlamaForCausalLM".into(), &"llama".into())
    );
    assert_eq!(find("sigmoid")["derivative_range"][1], 0.25);
    assert!(find("elu")["transformers"]["llama"].is_null());
    let table = succeed(tinygpt(&folder).arg("acts"));
    assert!(acts.iter().all(|act| table.contains(act["name"].as_str().unwrap())), "{table}");
}

#[test]
fn the_plot_shows_every_function_and_its_derivative() {
    let folder = folder();
    succeed(tinygpt(&folder).args(["acts", "--plot", "acts.svg"]));
    let svg = String::from_utf8(read(&folder, "acts.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    // Value and derivative of every function, without those that are one of them times u.
    assert_eq!(svg.matches("<polyline").count(), 2 * 30);
    assert!(svg.contains(">quick_gelu<"));
}
