import streamlit as st

st.title("The lake today")
